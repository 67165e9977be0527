using AiDb.Engine;
using AiDb.Engine.State;

namespace AiDb.Tests.Engine.State;

public sealed class ReadSectionTests
{
    [Fact]
    public void What_is_retired_outside_of_sections_is_given_back_at_once_or_by_the_last_reader_under_way()
    {
        // Other tests read at the same time: their sections may hold this one up, and then their ends free it.
        var subject = new Subject();
        ReadSection.Retire(subject);
        Assert.True(SpinWait.SpinUntil(Freed(subject), TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public void What_is_retired_within_a_section_stays_until_the_outermost_one_ends()
    {
        var subject = new Subject();
        ReadSection outer = ReadSection.Enter();
        ReadSection inner = ReadSection.Enter();
        var retiring = new Thread(() => ReadSection.Retire(subject));
        retiring.Start();
        retiring.Join();
        Assert.False(subject.IsFreed);
        inner.Exit();
        Assert.False(subject.IsFreed);
        outer.Exit();
        Assert.True(SpinWait.SpinUntil(Freed(subject), TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public void Readers_never_see_what_was_given_back_while_it_is_replaced_again_and_again()
    {
        var current = new Subject();
        var all = new List<Subject> { current };
        bool done = false;
        int seenFreed = 0;
        var readers = new Thread[3];
        for (int i = 0; i < readers.Length; i++)
        {
            readers[i] = new Thread(() =>
            {
                while (!Volatile.Read(ref done))
                {
                    ReadSection section = ReadSection.Enter();
                    Subject subject = Volatile.Read(ref current);
                    for (int look = 0; look < 20; look++)
                    {
                        if (subject.IsFreed)
                            Interlocked.Increment(ref seenFreed);
                    }

                    section.Exit();
                }
            });
            readers[i].Start();
        }

        for (int i = 0; i < 5000; i++)
        {
            Subject old = current;
            var next = new Subject();
            all.Add(next);
            Volatile.Write(ref current, next);
            ReadSection.Retire(old);
        }

        Volatile.Write(ref done, true);
        foreach (Thread reader in readers)
            reader.Join();
        ReadSection.Retire(current);
        Assert.Equal(0, seenFreed);
        Assert.True(SpinWait.SpinUntil(
            () => all.TrueForAll(static subject => subject.IsFreed), TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public void What_is_retired_just_as_the_last_reader_leaves_is_left_to_one_of_the_two()
    {
        // Other tests' sections may end later and free it too, so most of the looks prove nothing; none may find it
        // waiting while every section has ended.
        using var together = new Barrier(2);
        Subject[] subjects = [.. Enumerable.Range(0, 3000).Select(static _ => new Subject())];
        var reader = new Thread(() =>
        {
            foreach (Subject _ in subjects)
            {
                ReadSection section = ReadSection.Enter();
                together.SignalAndWait();
                section.Exit();
                together.SignalAndWait();
            }
        });
        reader.Start();
        foreach (Subject subject in subjects)
        {
            together.SignalAndWait();
            ReadSection.Retire(subject);
            together.SignalAndWait();
            Assert.True(SpinWait.SpinUntil(() => subject.IsFreed, TimeSpan.FromMinutes(1)), "nobody gave it back");
        }

        reader.Join();
    }

    /// <summary>Asks after making a section end, as any read does.</summary>
    private static Func<bool> Freed(Subject subject) => () =>
    {
        ReadSection.Enter().Exit();
        return subject.IsFreed;
    };

    private sealed class Subject : RefCounted
    {
        private volatile bool _isFreed;

        public bool IsFreed => _isFreed;

        protected override void OnUnreferenced() => _isFreed = true;
    }
}
