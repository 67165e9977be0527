using System.ComponentModel;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;

namespace AiDb.Gateway.Rest;

[Description("Operations that are applied together, or (atomic = false) partition by partition.")]
internal sealed record BatchBody
{
    [Description("1 to 100,000 operations; keys and values take at most 128 MiB in all.")]
    public required IReadOnlyList<BatchOperationBody> Operations { get; init; }

    [Description("The partition of all keys of the batch, instead of the tables' rules.")]
    public string? Partition { get; init; }

    [Description("utf8 (default) or base64url: how partition is written.")]
    public string? PartitionEncoding { get; init; }

    [Description("True (default): all or nothing, within one partition. False: each partition by itself; results tell.")]
    public bool? Atomic { get; init; }

    [Description("memory, local (default), quorum or archived.")]
    public string? Durability { get; init; }
}

[Description("One operation of a batch.")]
internal sealed record BatchOperationBody
{
    [Description("put, delete, or require (only the condition).")]
    public required string Op { get; init; }

    [Description("The table; only where the address does not name it.")]
    public string? Table { get; init; }

    [Description("The key, 1 byte to 64 KiB.")]
    public required string Key { get; init; }

    [Description("utf8 (default) or base64url: how key is written.")]
    public string? KeyEncoding { get; init; }

    [Description("The value of a put, up to 64 MiB.")]
    public string? Value { get; init; }

    [Description("utf8 (default) or base64url: how value is written.")]
    public string? ValueEncoding { get; init; }

    [Description("Seconds that the key lives, with decimals; absent: the table's default.")]
    public decimal? Ttl { get; init; }

    [Description("* (the key must exist) or the version that it must have.")]
    public string? IfMatch { get; init; }

    [Description("* (the key must be absent) or the version that it must not have.")]
    public string? IfNoneMatch { get; init; }
}

[Description("What a batch did.")]
internal sealed record BatchAnswer
{
    [Description("The version of every key that an atomic batch wrote.")]
    public string? Version { get; init; }

    [Description("The durability that was reached.")]
    public string? Durability { get; init; }

    [Description("What the header AiDb-Session of a later read may carry.")]
    public string? Session { get; init; }

    [Description("With atomic = false: one for each operation, in their order.")]
    public IReadOnlyList<OperationAnswer>? Results { get; init; }
}

[Description("How one operation of a batch with atomic = false went.")]
internal sealed record OperationAnswer
{
    [Description("The version that it wrote; absent when it failed.")]
    public string? Version { get; init; }

    [Description("Why it failed; absent when it did not.")]
    public OperationError? Error { get; init; }
}

[Description("Why an operation failed.")]
internal sealed record OperationError
{
    [Description("The kind of the error, as in problem details.")]
    public required string Kind { get; init; }

    [Description("What happened.")]
    public required string Detail { get; init; }

    [Description("Whether the same operation may succeed later.")]
    public required bool Retryable { get; init; }

    [Description("Of a failed condition: the version that the key has; absent: there is no such key.")]
    public string? CurrentVersion { get; init; }
}

[Description("Keys to read.")]
internal sealed record MultiGetBody
{
    [Description("1 to 100,000 keys.")]
    public required IReadOnlyList<string> Keys { get; init; }

    [Description("utf8 (default) or base64url: how keys and partition are written.")]
    public string? KeyEncoding { get; init; }

    [Description("The partition of all keys, instead of the table's rule.")]
    public string? Partition { get; init; }

    [Description("eventual, session (default) or linearizable.")]
    public string? Consistency { get; init; }
}

[Description("The keys that were asked for, in their order.")]
internal sealed record MultiGetAnswer
{
    [Description("One for each key.")]
    public required IReadOnlyList<Entry> Values { get; init; }

    [Description("What the header AiDb-Session of a later read may carry.")]
    public string? Session { get; init; }
}

[Description("One page of a table.")]
internal sealed record ListAnswer
{
    [Description("In key order.")]
    public required IReadOnlyList<Entry> Items { get; init; }

    [Description("What the parameter cursor of the next page carries; absent on the last page.")]
    public string? Cursor { get; init; }
}

[Description("A key. Where its bytes, or its value's, are not UTF-8, they are written as base64url and the encoding says so.")]
internal sealed record Entry
{
    [Description("The key.")]
    public required string Key { get; init; }

    [Description("base64url where the key is not UTF-8; otherwise absent.")]
    public string? KeyEncoding { get; init; }

    [Description("Only in answers to a multi-get: whether the key exists.")]
    public bool? Found { get; init; }

    [Description("The value; absent with keysOnly and for a key that does not exist.")]
    public string? Value { get; init; }

    [Description("base64url where the value is not UTF-8; otherwise absent.")]
    public string? ValueEncoding { get; init; }

    [Description("The version: the ETag without its quotes. A decimal number of up to 20 digits, as text.")]
    public string? Version { get; init; }

    [Description("When it expires, in Unix milliseconds; absent: never.")]
    public ulong? ExpiresAtMs { get; init; }
}

[Description("What may be chosen for a table.")]
internal sealed record TableBody
{
    [Description("How the partition of a key is found; absent: the whole key.")]
    public PartitioningBody? Partitioning { get; init; }

    [Description("Seconds that keys live unless a write says otherwise; absent: for ever.")]
    public decimal? DefaultTtl { get; init; }
}

[Description("How the partition of a key is found. A {tag} in the key, and a partition that a request names, win over it; ranges know neither.")]
internal sealed record PartitioningBody
{
    [Description("wholeKey, prefixLength, delimiter or range.")]
    public required string Kind { get; init; }

    [Description("Of prefixLength: bytes, 1 to 1024.")]
    public int? PrefixLength { get; init; }

    [Description("Of delimiter: 1 to 1024 bytes; the partition is the key up to the first occurrence.")]
    public string? Delimiter { get; init; }

    [Description("utf8 (default) or base64url: how delimiter is written.")]
    public string? DelimiterEncoding { get; init; }

    [Description("Of range: where ranges begin, ascending in unsigned byte order, but for the first one; at most 1023 of 1024 bytes each. "
        + "Of a table: as they are now, since ranges are split.")]
    public IReadOnlyList<string>? SplitPoints { get; init; }

    [Description("utf8 (default) or base64url: how splitPoints are written.")]
    public string? SplitPointEncoding { get; init; }
}

[Description("A range of a table: the keys from start to the start of the next one.")]
internal sealed record TableRangeAnswer
{
    [Description("Its first key; absent: it is the first range.")]
    public string? Start { get; init; }

    [Description("base64url where start is not UTF-8; otherwise absent.")]
    public string? StartEncoding { get; init; }

    [Description("The slot that it moves with.")]
    public required uint Slot { get; init; }

    [Description("The shard that has the slot now.")]
    public required uint Shard { get; init; }
}

[Description("Where a range is split.")]
internal sealed record SplitBody
{
    [Description("The first key of the new range; 1 to 1024 bytes.")]
    public required string At { get; init; }

    [Description("utf8 (default) or base64url: how at is written.")]
    public string? KeyEncoding { get; init; }
}

[Description("A table.")]
internal sealed record TableAnswer
{
    [Description("Its name.")]
    public required string Name { get; init; }

    [Description("Its number; never used again after the table was dropped.")]
    public required uint Id { get; init; }

    [Description("How the partition of a key is found.")]
    public required PartitioningBody Partitioning { get; init; }

    [Description("Seconds that keys live unless a write says otherwise; absent: for ever.")]
    public decimal? DefaultTtl { get; init; }

    [Description("When it was created, in Unix milliseconds.")]
    public required ulong CreatedAtMs { get; init; }

    [Description("Of a table that is partitioned by ranges, ascending; otherwise absent.")]
    public IReadOnlyList<TableRangeAnswer>? Ranges { get; init; }
}

[Description("All tables, by name.")]
internal sealed record TablesAnswer
{
    [Description("The tables.")]
    public required IReadOnlyList<TableAnswer> Tables { get; init; }
}

[Description("Who is in the cluster.")]
internal sealed record ClusterAnswer
{
    [Description("The cluster's name for itself.")]
    public required string ClusterId { get; init; }

    [Description("standalone or cluster.")]
    public required string Mode { get; init; }

    [Description("The version of the slot map that this gateway routes by.")]
    public required ulong MapVersion { get; init; }

    [Description("All known nodes.")]
    public required IReadOnlyList<NodeAnswer> Nodes { get; init; }

    [Description("All shards.")]
    public required IReadOnlyList<ShardAnswer> Shards { get; init; }
}

[Description("A node.")]
internal sealed record NodeAnswer(string Id, string Role, string Address, bool Alive, string Version, string? Zone);

[Description("A shard. health is ok, degraded (it serves, and a copy is missing or behind), no-quorum (too few copies for writes) or no-primary.")]
internal sealed record ShardAnswer(
    uint Id, string Primary, ulong Epoch, uint Slots, string State, string Health, uint WriteQuorum,
    IReadOnlyList<VoterAnswer> Voters);

[Description("A copy of a shard. role is voter, next or wanted; lag counts the entries that it lacks, as far as the primary knows.")]
internal sealed record VoterAnswer(
    string Node, string DiskId, string Role, bool Alive, string Phase, ulong? Lag, ulong CommitLsn, ulong LastLsn);

[Description("What this is.")]
internal sealed record TitleAnswer(string Title, string Version, string Aidb);

/// <summary>The JSON of the REST API. A member that it does not have is an error: a misspelt one must not be
/// ignored.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    AllowDuplicateProperties = false,
    MaxDepth = 16)]
[JsonSerializable(typeof(BatchBody))]
[JsonSerializable(typeof(BatchAnswer))]
[JsonSerializable(typeof(MultiGetBody))]
[JsonSerializable(typeof(MultiGetAnswer))]
[JsonSerializable(typeof(ListAnswer))]
[JsonSerializable(typeof(TableBody))]
[JsonSerializable(typeof(SplitBody))]
[JsonSerializable(typeof(TableAnswer))]
[JsonSerializable(typeof(TablesAnswer))]
[JsonSerializable(typeof(ClusterAnswer))]
[JsonSerializable(typeof(TitleAnswer))]
[JsonSerializable(typeof(ProblemDetails))]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(bool))]
[JsonSerializable(typeof(int))]
[JsonSerializable(typeof(ulong))]
internal sealed partial class RestJson : JsonSerializerContext
{
    /// <summary>Text is written readably: answers are JSON, never parts of a web page.</summary>
    public static RestJson Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
