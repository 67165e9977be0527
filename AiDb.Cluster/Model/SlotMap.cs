using System.Globalization;
using System.Text;
using AiDb.Contracts;

namespace AiDb.Cluster.Model;

/// <summary>Which shard owns each slot; 0: none yet. Immutable.</summary>
public sealed class SlotMap
{
    /// <summary>No slot is dealt out.</summary>
    public static SlotMap Empty { get; } = new(new ushort[SlotHash.SlotCount]);

    private readonly ushort[] _shards;

    private SlotMap(ushort[] shards) => _shards = shards;

    /// <summary>Makes a map by a rule.</summary>
    /// <param name="shardOfSlot">The shard of a slot, or 0.</param>
    public static SlotMap Create(Func<int, uint> shardOfSlot)
    {
        ushort[] shards = new ushort[SlotHash.SlotCount];
        for (int slot = 0; slot < shards.Length; slot++)
            shards[slot] = checked((ushort)shardOfSlot(slot));
        return new SlotMap(shards);
    }

    /// <summary>The shard of a slot; 0: none.</summary>
    public uint this[int slot] => _shards[slot];

    /// <summary>How many slots a shard owns.</summary>
    public int Count(uint shard) => _shards.AsSpan().Count((ushort)shard);

    /// <summary>Whether every slot has an owner.</summary>
    public bool IsComplete => !_shards.AsSpan().Contains((ushort)0);

    /// <summary>Runs of slots as <c>first-last=shard</c>, joined by commas; slots without an owner are left
    /// out.</summary>
    public string Format()
    {
        StringBuilder text = new();
        int start = 0;
        for (int slot = 1; slot <= _shards.Length; slot++)
        {
            if (slot < _shards.Length && _shards[slot] == _shards[start])
                continue;
            if (_shards[start] != 0)
            {
                if (text.Length > 0)
                    text.Append(',');
                text.Append(CultureInfo.InvariantCulture, $"{start}-{slot - 1}={_shards[start]}");
            }

            start = slot;
        }

        return text.ToString();
    }

    /// <summary>Reads what <see cref="Format"/> wrote.</summary>
    /// <exception cref="FormatException">It is malformed, or two runs overlap.</exception>
    public static SlotMap Parse(string text)
    {
        ushort[] shards = new ushort[SlotHash.SlotCount];
        ReadOnlySpan<char> all = text;
        foreach (Range part in all.Split(','))
        {
            ReadOnlySpan<char> run = all[part];
            if (run.IsEmpty)
                continue;
            int dash = run.IndexOf('-');
            int equals = run.IndexOf('=');
            if (dash < 0 || equals < dash
                || !int.TryParse(run[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out int first)
                || !int.TryParse(run[(dash + 1)..equals], NumberStyles.None, CultureInfo.InvariantCulture, out int last)
                || !ushort.TryParse(run[(equals + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out ushort shard)
                || shard == 0 || first > last || last >= SlotHash.SlotCount)
            {
                throw new FormatException($"The slot run '{run}' is malformed.");
            }

            Span<ushort> slots = shards.AsSpan(first, last - first + 1);
            if (slots.ContainsAnyExcept((ushort)0))
                throw new FormatException($"The slot run '{run}' overlaps another one.");
            slots.Fill(shard);
        }

        return new SlotMap(shards);
    }
}
