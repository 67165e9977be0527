using AiDb.Engine.Caching;
using AiDb.Engine.Log;

namespace AiDb.Engine.MemTables;

/// <content>Finds the places of several keys of a batch at once, before they are inserted: a search waits for memory at
/// nearly every node of the lower levels, and the searches wait together instead of one after the other.</content>
internal sealed unsafe partial class SkipList
{
    /// <summary>About as many as a core has lines under way.</summary>
    private const int Lanes = 16;

    /// <summary>So few are not worth it.</summary>
    private const int FewestLanes = 3;

    /// <summary>What is at the end of a node's first line of 64 bytes may lie on the next one.</summary>
    private const int NextLine = 56;

    private readonly Lane[] _lanes = new Lane[Lanes];
    private readonly nint[] _located = new nint[Lanes * MaxHeight];
    private int _laneCount;
    private int _nextLane;
    private int _locatedHeight;

    /// <summary>Finds the places of the next keys that a batch puts or deletes. They are hints: the inserts that follow
    /// use them in this order, and search by themselves once that is another one.</summary>
    /// <param name="operations">The rest of the batch.</param>
    /// <param name="version">Its version.</param>
    /// <returns>Operations that were looked at, at least one unless there is none.</returns>
    public int Locate(LogOperationReader operations, ulong version)
    {
        _laneCount = 0;
        _nextLane = 0;
        int looked = 0;
        Lane[] lanes = _lanes;
        ReadOnlySpan<byte> payload = operations.Payload;
        while (_laneCount < Lanes && operations.MoveNext())
        {
            looked++;
            if (operations.Kind is not (LogOperationKind.Put or LogOperationKind.Delete or LogOperationKind.PutMoved))
                break;
            ref Lane lane = ref lanes[_laneCount++];
            lane.TableId = operations.TableId;
            lane.Head = KeyHead(operations.Key);
            lane.KeyLength = operations.Key.Length;
            lane.KeyStart = payload.Overlaps(operations.Key, out int start) ? start : 0;
        }

        if (_laneCount < FewestLanes || IsAtEnd(lanes[0], payload, version))
            _laneCount = 0;
        else
            Search(payload, version);
        return looked;
    }

    /// <summary>Keys that ascend behind all others need no search.</summary>
    private bool IsAtEnd(in Lane lane, ReadOnlySpan<byte> payload, ulong version) =>
        _tail[0] == (nint)_head
        || Compare((Node*)_tail[0], lane.TableId, lane.Head, payload.Slice(lane.KeyStart, lane.KeyLength), version) < 0;

    private void Search(ReadOnlySpan<byte> payload, ulong version)
    {
        _locatedHeight = _height;
        Span<Lane> lanes = _lanes.AsSpan(0, _laneCount);
        foreach (ref Lane lane in lanes)
        {
            lane.Level = _locatedHeight - 1;
            lane.Place = _head;
            lane.Known = null;
            lane.Candidate = _head->NextSlots[lane.Level];
        }

        for (int searching = lanes.Length; searching > 0;)
        {
            for (int index = 0; index < lanes.Length; index++)
            {
                ref Lane lane = ref lanes[index];
                if (lane.Level < 0)
                    continue;
                Step(ref lane, payload.Slice(lane.KeyStart, lane.KeyLength), version, index * MaxHeight);
                searching -= lane.Level < 0 ? 1 : 0;
            }
        }
    }

    /// <summary>Goes on with a search up to the next node that has to be fetched.</summary>
    private void Step(ref Lane lane, ReadOnlySpan<byte> key, ulong version, int located)
    {
        while (true)
        {
            Node* next = lane.Candidate;
            if (next == lane.Known || next == null || Compare(next, lane.TableId, lane.Head, key, version) >= 0)
            {
                lane.Known = next;
                _located[located + lane.Level] = (nint)lane.Place;
                if (--lane.Level < 0)
                    return;
            }
            else
            {
                lane.Place = next;
            }

            Node* candidate = lane.Place->NextSlots[lane.Level];
            lane.Candidate = candidate;
            if (candidate == lane.Known || candidate == null)
                continue;
            CpuPrefetch.Read(candidate);
            CpuPrefetch.Read((byte*)candidate + NextLine);
            return;
        }
    }

    /// <summary>Takes the next hint, if it is this key's: nodes never go, so what was before a key still is, and what came
    /// between since is near.</summary>
    /// <param name="tableId">The table.</param>
    /// <param name="head">The key's head.</param>
    /// <param name="userKey">The key.</param>
    /// <param name="version">The version.</param>
    /// <param name="height">How many of the places before it are wanted.</param>
    /// <param name="found">The first node at or after it.</param>
    private bool TryUseHint(
        uint tableId, ulong head, ReadOnlySpan<byte> userKey, ulong version, int height, out Node* found)
    {
        found = null;
        int index = _nextLane++;
        ref Lane lane = ref _lanes[index];
        if (lane.TableId != tableId || lane.Head != head || lane.KeyLength != userKey.Length)
        {
            _laneCount = 0;
            return false;
        }

        for (int level = 0; level < height; level++)
        {
            Node* node = level < _locatedHeight ? (Node*)_located[(index * MaxHeight) + level] : _head;
            if (node != _head && Compare(node, tableId, head, userKey, version) >= 0)
            {
                _laneCount = 0;
                return false;
            }

            Node* next;
            while ((next = node->NextSlots[level]) != null && Compare(next, tableId, head, userKey, version) < 0)
                node = next;
            _previous[level] = (nint)node;
            if (level == 0)
                found = next;
        }

        return true;
    }

    /// <summary>The search for one key.</summary>
    private struct Lane
    {
        public Node* Place;
        public Node* Candidate;

        /// <summary>The node at or after the key at the level above.</summary>
        public Node* Known;

        public ulong Head;
        public uint TableId;
        public int KeyStart;
        public int KeyLength;

        /// <summary>The level that is searched; negative: done.</summary>
        public int Level;
    }
}
