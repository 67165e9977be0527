using AiDb.Engine.Commit;

namespace AiDb.Tests.Engine.Commit;

public sealed class AnswerGatesTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Nobody_sleeps_on_after_an_opening(bool useFutex)
    {
        const int sleepers = 8;
        const int rounds = 2000;
        var gates = new AnswerGates(useFutex);
        int[] answered = new int[sleepers];
        var tasks = new Task[sleepers];
        for (int index = 0; index < sleepers; index++)
        {
            int own = index;
            tasks[own] = Task.Factory.StartNew(() => Sleeper(own), TaskCreationOptions.LongRunning);
        }

        for (int round = 1; round <= rounds; round++)
        {
            gates.NextTurn();
            for (int own = 0; own < sleepers; own++)
                Volatile.Write(ref answered[own], round);
            gates.Open(0b1111);
        }

        await Task.WhenAll(tasks).WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);

        void Sleeper(int own)
        {
            int seen = 0;
            while (seen < rounds)
            {
                int gate = gates.Current;
                while (true)
                {
                    int version = gates.Version(gate);
                    int now = Volatile.Read(ref answered[own]);
                    if (now > seen)
                    {
                        seen = now;
                        break;
                    }

                    gates.Sleep(gate, version);
                }
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_gate_that_was_opened_since_the_version_was_read_lets_through(bool useFutex)
    {
        var gates = new AnswerGates(useFutex);
        int version = gates.Version(2);
        gates.Open(1 << 2);
        gates.Sleep(2, version);
        Assert.NotEqual(version, gates.Version(2));
        Assert.Equal(0, gates.Version(1));
    }
}
