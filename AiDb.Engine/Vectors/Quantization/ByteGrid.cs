namespace AiDb.Engine.Vectors.Quantization;

/// <summary>Which number each of the 256 codes stands for: <c>Origin + Step * code</c>.</summary>
/// <param name="Origin">The number of code 0.</param>
/// <param name="Step">From code to code; above 0.</param>
internal readonly record struct ByteGrid(float Origin, float Step)
{
    private const int MaxSamples = 1 << 20;
    private const int MaxCode = 255;

    /// <summary>The grid that keeps bytes as they are.</summary>
    public static ByteGrid Identity => new(0, 1);

    /// <summary>The grid that covers a share of the numbers, the same share of the highest and lowest being
    /// cut. Whole numbers from 0 to 255 get <see cref="Identity"/>, which loses nothing.</summary>
    public static ByteGrid Train(ReadOnlySpan<float> numbers, float quantile)
    {
        if (numbers.IsEmpty)
            return Identity;
        int stride = Math.Max(1, numbers.Length / MaxSamples);
        if (stride > 1 && stride % 2 == 0)
            stride++;
        List<float> samples = new((numbers.Length / stride) + 1);
        bool whole = true;
        for (int i = 0; i < numbers.Length; i += stride)
        {
            samples.Add(numbers[i]);
            whole &= numbers[i] is >= 0 and <= MaxCode && numbers[i] == MathF.Floor(numbers[i]);
        }

        if (whole)
            return Identity;
        samples.Sort();
        int cut = (int)((1 - quantile) / 2 * samples.Count);
        float low = samples[cut];
        float high = samples[^(cut + 1)];
        return high > low ? new ByteGrid(low, (high - low) / MaxCode) : new ByteGrid(low, 1);
    }
}
