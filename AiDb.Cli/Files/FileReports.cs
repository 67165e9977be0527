using System.Globalization;
using System.Text.Json;
using AiDb.Cli.Data;
using AiDb.Engine.Inspection;

namespace AiDb.Cli.Files;

/// <summary>Prints what the engine found in files: a line for each thing, or a JSON value for each.</summary>
internal sealed class FileReports(TextWriter output, bool json, bool hex)
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web);

    public void Line(string text, object value) =>
        output.WriteLine(json ? JsonSerializer.Serialize(value, Options) : text);

    /// <summary>Bytes as they are shown: as text where they are, or in hexadecimal.</summary>
    public string Show(ReadOnlySpan<byte> bytes) => hex ? Convert.ToHexStringLower(bytes) : TextBytes.Display(bytes);

    public void Damage(FileDamage damage) => Line(
        $"DAMAGED  {damage.File} at byte {damage.Offset}: {damage.What}",
        new { Type = "damage", damage.File, damage.Offset, damage.What });

    public void Manifest(ManifestReport manifest)
    {
        Line(
            Invariant($"manifest {manifest.Path}: format {manifest.FormatVersion}, number {manifest.Number}, {manifest.Edits} edits in {manifest.EndOffset} of {manifest.Bytes} bytes\n") +
            Invariant($"  database {manifest.DatabaseId:x32}; flushed up to entry {manifest.Flushed.Lsn} of epoch {manifest.Flushed.Epoch}; durable up to entry {manifest.KnownDurableLsn}; {manifest.Tables.Count} tables"),
            new
            {
                Type = "manifest",
                manifest.Path,
                manifest.Bytes,
                manifest.FormatVersion,
                manifest.Number,
                manifest.Edits,
                manifest.EndOffset,
                DatabaseId = Hex(manifest.DatabaseId),
                FlushedLsn = manifest.Flushed.Lsn,
                manifest.Flushed.Epoch,
                manifest.KnownDurableLsn,
                manifest.NextNumber,
            });
        foreach (ManifestTableReport table in manifest.Tables)
        {
            Line(
                Invariant($"  level {table.Level}  {table.File}  sequence {table.Sequence}, {table.Bytes} bytes, {table.Entries} entries, {table.Deletions} deletions, from {table.Smallest} to {table.Largest}"),
                new
                {
                    Type = "table",
                    table.Level,
                    table.File,
                    table.Sequence,
                    table.Bytes,
                    Checksum = table.Checksum.ToString("x16", CultureInfo.InvariantCulture),
                    table.Entries,
                    table.Deletions,
                    table.Smallest,
                    table.Largest,
                });
        }

        if (manifest.Damage is { } damage)
            Damage(damage);
    }

    public void Table(TableReport table)
    {
        Line(
            Invariant($"table {table.Path}: {table.Bytes} bytes, {table.DataBlocks} blocks, {table.Entries} entries ({table.Deletions} deletions, {table.ExpirableEntries} with an expiry)\n") +
            Invariant($"  keys {table.RawKeyBytes} bytes, values {table.RawValueBytes} bytes, versions {table.MinVersion} to {table.MaxVersion}, tables {string.Join(", ", table.TableIds)}\n") +
            $"  from {Show(table.Smallest.Key)} (table {table.Smallest.TableId}) to {Show(table.Largest.Key)} (table {table.Largest.TableId})" +
            (table.Opens ? "" : "\n  it does not open; the figures are those of the blocks that can be read"),
            new
            {
                Type = "table",
                table.Path,
                table.Bytes,
                table.Opens,
                FileId = Hex(table.FileId),
                table.DataBlocks,
                table.Entries,
                table.Deletions,
                table.ExpirableEntries,
                table.RawKeyBytes,
                table.RawValueBytes,
                table.MinVersion,
                table.MaxVersion,
                table.TableIds,
                Smallest = Show(table.Smallest.Key),
                Largest = Show(table.Largest.Key),
            });
        foreach (FileDamage damage in table.Damage)
            Damage(damage);
    }

    public void Log(LogReport segment)
    {
        Line(
            Invariant($"log {segment.Path}: segment {segment.Number}, entries {segment.FirstLsn} to {segment.LastLsn} in {segment.EndOffset} of {segment.Bytes} bytes, {segment.End}"),
            new
            {
                Type = "log",
                segment.Path,
                segment.Bytes,
                segment.Number,
                FileId = Hex(segment.FileId),
                segment.FirstLsn,
                segment.LastLsn,
                segment.LastEpoch,
                segment.LastTimestamp,
                segment.EndOffset,
                End = segment.End.ToString(),
            });
        if (segment.Damage is { } damage)
            Damage(damage);
    }

    public static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    private static string Hex(UInt128 id) => id.ToString("x32", CultureInfo.InvariantCulture);
}
