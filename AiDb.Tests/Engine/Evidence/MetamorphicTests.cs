using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Engine.Evidence;

/// <summary>The same history under many settings, with flushes, compactions, restarts and copies between: every answer is
/// the same.</summary>
[Trait("Category", EvidenceRun.Category)]
public sealed class MetamorphicTests
{
    [Fact]
    public async Task A_history_is_answered_alike_under_all_settings_whatever_happens_besides()
    {
        int histories = EvidenceRun.Scale(2, 60);
        int variants = EvidenceRun.Scale(4, 12);
        int steps = EvidenceRun.Scale(400, 1500);
        long answers = 0;
        for (int history = 0; history < histories; history++)
        {
            int seed = TestSeed.Base + (history * 104_729);
            using var plain = new MetamorphicRun(seed, physicalSeed: null);
            await plain.RunAsync(steps);
            for (int variant = 0; variant < variants; variant++)
            {
                using var run = new MetamorphicRun(seed, seed + variant + 1);
                string where = $"AIDB_TEST_SEED={TestSeed.Base}, history {history}, variant {variant}, {run.Options}";
                try
                {
                    await run.RunAsync(steps);
                }
                catch (Exception error)
                {
                    Assert.Fail($"{where}: {error}");
                }

                Compare(plain.Transcript, run.Transcript, where);
                answers += run.Transcript.Count;
            }
        }

        EvidenceRun.Report(
            $"metamorphic: {histories} histories of {steps} steps, {variants} settings each, {answers} answers alike; " +
            $"seed {TestSeed.Base}");
    }

    private static void Compare(List<string> expected, List<string> found, string where)
    {
        for (int line = 0; line < Math.Min(expected.Count, found.Count); line++)
            Assert.True(expected[line] == found[line], $"{where}, answer {line}:\n{expected[line]}\n{found[line]}");
        Assert.True(expected.Count == found.Count, $"{where}: {expected.Count} answers, then {found.Count}");
    }
}
