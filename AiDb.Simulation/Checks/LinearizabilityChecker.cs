using AiDb.Simulation.World;

namespace AiDb.Simulation.Checks;

/// <summary>Decides whether a history of reads, writes and compare-and-sets could have come from one copy of each key that does one
/// operation at a time, each between its request and its answer.</summary>
/// <remarks>The search of Wing and Gong with the cache of Lowe ("Testing for linearizability", 2016): keys are looked at one
/// by one, since linearizability is local (Herlihy and Wing, 1990, theorem 1). Operations without an answer may take effect
/// at any time after their request, or never.</remarks>
internal static class LinearizabilityChecker
{
    /// <summary>Steps after which the search for one key gives up: its history counts as undecided.</summary>
    private const int MaxSteps = 3_000_000;

    /// <summary>The first key whose history is not linearizable; null: all are.</summary>
    public static int? FindViolation(IReadOnlyList<HistoryEvent> history) => FindViolation(history, out _);

    /// <summary>The first key whose history is not linearizable; null: there is none.</summary>
    /// <param name="history">The history.</param>
    /// <param name="undecided">Keys for which the search gave up.</param>
    public static int? FindViolation(IReadOnlyList<HistoryEvent> history, out int undecided)
    {
        undecided = 0;
        foreach (IGrouping<int, HistoryEvent> key in history.GroupBy(item => item.Operation.Key))
        {
            HistoryEvent[] all = [.. key.Where(item => item.AnsweredAt is not null || item.Operation.Kind != OperationKind.Read)];

            // Most operations without an answer that nobody saw the value of never took effect. If there is an order without
            // them, that is one; else every possibility is looked at.
            HashSet<long> seen = [.. all.Select(item => item.Result.Value), .. all.Select(item => item.Operation.Expected)];
            HistoryEvent[] likely = [.. all.Where(item => item.AnsweredAt is not null || seen.Contains(item.Operation.Value))];
            bool? decided = IsLinearizable(likely);
            if (decided != true && likely.Length < all.Length)
                decided = IsLinearizable(all);
            if (decided == false)
                return key.Key;
            undecided += decided is null ? 1 : 0;
        }

        return null;
    }

    /// <summary>Whether the history of one key is linearizable; null: the search gave up.</summary>
    public static bool? IsLinearizable(IReadOnlyList<HistoryEvent> history)
    {
        Node head = Link(history);
        var random = new Random(history.Count);
        UInt128[] marks = [.. history.Select(_ => new UInt128((ulong)random.NextInt64(), (ulong)random.NextInt64()))];

        // A set of operations is known by the sum of its marks: 126 random bits each, so two sets never meet in practice.
        UInt128 linearized = 0;
        var seen = new HashSet<(UInt128, long)>();
        var undo = new Stack<(Node Call, long Value)>();
        int answered = history.Count(item => item.AnsweredAt is not null);
        long value = 0;
        Node? entry = head.Next;
        for (int steps = 0; answered > 0; steps++)
        {
            if (steps == MaxSteps)
                return null;
            if (entry is null || !entry.IsCall)
            {
                // An answer comes before its operation could take effect, or nothing is left to try: go back.
                if (!undo.TryPop(out (Node Call, long Value) last))
                    return false;
                value = last.Value;
                linearized ^= marks[last.Call.Index];
                last.Call.Unlift();
                if (history[last.Call.Index].AnsweredAt is not null)
                    answered++;
                entry = last.Call.Next;
                continue;
            }

            if (TryApply(history[entry.Index], value, out long next))
            {
                if (seen.Add((linearized ^ marks[entry.Index], next)))
                {
                    linearized ^= marks[entry.Index];
                    undo.Push((entry, value));
                    value = next;
                    if (history[entry.Index].AnsweredAt is not null)
                        answered--;
                    entry.Lift();
                    entry = head.Next;
                    continue;
                }
            }

            entry = entry.Next;
        }

        return true;
    }

    private static bool TryApply(HistoryEvent item, long value, out long next)
    {
        Operation operation = item.Operation;
        next = value;
        switch (operation.Kind)
        {
            case OperationKind.Read:
                return item.Result.Value == value;
            case OperationKind.Put:
                next = operation.Value;
                return true;
            default:
                bool sets = value == operation.Expected;
                next = sets ? operation.Value : value;
                return item.AnsweredAt is null || item.Result.Done == sets;
        }
    }

    /// <summary>Requests and answers in the order of time; of the same time, requests first: that allows
    /// more.</summary>
    private static Node Link(IReadOnlyList<HistoryEvent> history)
    {
        var events = new List<(TimeSpan Time, bool IsCall, int Index)>();
        for (int i = 0; i < history.Count; i++)
        {
            events.Add((history[i].InvokedAt, true, i));
            if (history[i].AnsweredAt is { } answered)
                events.Add((answered, false, i));
        }

        var head = new Node(-1, false);
        Node last = head;
        var calls = new Node[history.Count];
        foreach ((_, bool isCall, int index) in events.OrderBy(item => item.Time).ThenBy(item => !item.IsCall))
        {
            var node = new Node(index, isCall) { Previous = last };
            last.Next = node;
            last = node;
            if (isCall)
                calls[index] = node;
            else
                calls[index].Answer = node;
        }

        return head;
    }

    private sealed class Node(int index, bool isCall)
    {
        public int Index { get; } = index;

        public bool IsCall { get; } = isCall;

        public Node? Next { get; set; }

        public Node? Previous { get; set; }

        public Node? Answer { get; set; }

        /// <summary>Takes a request and its answer out of the list.</summary>
        public void Lift()
        {
            Unlink();
            Answer?.Unlink();
        }

        /// <summary>Puts them back, in the opposite order.</summary>
        public void Unlift()
        {
            Answer?.Relink();
            Relink();
        }

        private void Unlink()
        {
            Previous!.Next = Next;
            if (Next is not null)
                Next.Previous = Previous;
        }

        private void Relink()
        {
            Previous!.Next = this;
            if (Next is not null)
                Next.Previous = this;
        }
    }
}
