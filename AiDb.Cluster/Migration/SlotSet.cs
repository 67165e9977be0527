using System.Globalization;
using System.Numerics;
using System.Text;
using AiDb.Contracts;

namespace AiDb.Cluster.Migration;

/// <summary>Some of the cluster's slots. Immutable.</summary>
public sealed class SlotSet
{
    private readonly ulong[] _bits;

    private SlotSet(ulong[] bits)
    {
        _bits = bits;
        foreach (ulong word in bits)
            Count += BitOperations.PopCount(word);
    }

    /// <summary>How many there are.</summary>
    public int Count { get; }

    /// <summary>A set of some slots.</summary>
    public static SlotSet Of(IEnumerable<int> slots)
    {
        ulong[] bits = new ulong[SlotHash.SlotCount / 64];
        foreach (int slot in slots)
        {
            if ((uint)slot >= SlotHash.SlotCount)
                throw new ArgumentOutOfRangeException(nameof(slots), slot, "There is no such slot.");
            bits[slot / 64] |= 1UL << (slot % 64);
        }

        return new SlotSet(bits);
    }

    /// <summary>Whether a slot is in it; false for what is no slot.</summary>
    public bool Contains(int slot) =>
        (uint)slot < SlotHash.SlotCount && (_bits[slot / 64] & (1UL << (slot % 64))) != 0;

    /// <summary>Its slots, ascending.</summary>
    public IEnumerable<int> All()
    {
        for (int slot = 0; slot < SlotHash.SlotCount; slot++)
        {
            if (Contains(slot))
                yield return slot;
        }
    }

    /// <summary>Runs as <c>first-last</c>, joined by commas.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        int first = -1;
        for (int slot = 0; slot <= SlotHash.SlotCount; slot++)
        {
            if (Contains(slot))
            {
                if (first < 0)
                    first = slot;
                continue;
            }

            if (first < 0)
                continue;
            if (text.Length > 0)
                text.Append(',');
            text.Append(CultureInfo.InvariantCulture, $"{first}-{slot - 1}");
            first = -1;
        }

        return text.ToString();
    }

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    /// <exception cref="FormatException">It is malformed.</exception>
    public static SlotSet Parse(string text)
    {
        List<int> slots = [];
        foreach (string run in text.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            int dash = run.IndexOf('-', StringComparison.Ordinal);
            if (dash < 0
                || !int.TryParse(run.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out int first)
                || !int.TryParse(run.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int last)
                || first > last || last >= SlotHash.SlotCount)
            {
                throw new FormatException($"The slot run '{run}' is malformed.");
            }

            for (int slot = first; slot <= last; slot++)
                slots.Add(slot);
        }

        return Of(slots);
    }
}
