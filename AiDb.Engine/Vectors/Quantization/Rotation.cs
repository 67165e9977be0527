using System.Numerics;
using System.Runtime.Intrinsics;

namespace AiDb.Engine.Vectors.Quantization;

/// <summary>A random rotation that needs no matrix: signs are flipped at random and Hadamard transforms mix the first
/// and the last power of two of the dimensions in turn.</summary>
/// <remarks>Source: Ailon and Chazelle, "The Fast Johnson-Lindenstrauss Transform" (2009); the two windows serve
/// dimensions that are no power of two. Lengths and products stay as they are, up to rounding.
/// Thread safety: immutable.</remarks>
internal sealed unsafe class Rotation
{
    private const int Rounds = 4;

    private readonly float[] _signs;
    private readonly int _window;
    private readonly float _scale;

    /// <summary>The rotation of a seed.</summary>
    public Rotation(int dimensions, ulong seed)
    {
        Dimensions = dimensions;
        Seed = seed;
        _window = 1 << BitOperations.Log2((uint)dimensions);
        _scale = 1 / MathF.Sqrt(_window);
        _signs = new float[Rounds * dimensions];
        ulong state = seed;
        for (int i = 0; i < _signs.Length; i++)
        {
            // SplitMix64.
            state += 0x9E3779B97F4A7C15;
            ulong mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
            _signs[i] = ((mixed ^ (mixed >> 31)) & 1) == 0 ? 1 : -1;
        }
    }

    /// <summary>Numbers of a vector.</summary>
    public int Dimensions { get; }

    /// <summary>What the signs are made of.</summary>
    public ulong Seed { get; }

    /// <summary>Rotates a vector in place.</summary>
    public void Apply(Span<float> vector)
    {
        fixed (float* start = vector, signs = _signs)
        {
            for (int round = 0; round < Rounds; round++)
            {
                float* flips = signs + (round * Dimensions);
                int i = 0;
                for (; i <= Dimensions - 4; i += 4)
                    (Vector128.Load(start + i) * Vector128.Load(flips + i)).Store(start + i);
                for (; i < Dimensions; i++)
                    start[i] *= flips[i];
                Mix(start + (round % 2 == 0 ? 0 : Dimensions - _window));
            }
        }
    }

    private void Mix(float* values)
    {
        int step = 1;
        if (Vector512.IsHardwareAccelerated && _window >= 16)
        {
            MixWithin16(values);
            step = 16;
        }

        for (; step < _window; step *= 2)
        {
            for (int block = 0; block < _window; block += 2 * step)
                Butterflies(values + block, values + block + step, step);
        }

        int scaled = 0;
        for (; scaled <= _window - 4; scaled += 4)
            (Vector128.Load(values + scaled) * _scale).Store(values + scaled);
        for (; scaled < _window; scaled++)
            values[scaled] *= _scale;
    }

    private static void Butterflies(float* low, float* high, int count)
    {
        int i = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            for (; i <= count - 16; i += 16)
            {
                Vector512<float> a = Vector512.Load(low + i), b = Vector512.Load(high + i);
                (a + b).Store(low + i);
                (a - b).Store(high + i);
            }
        }

        for (; i <= count - 4; i += 4)
        {
            Vector128<float> a = Vector128.Load(low + i), b = Vector128.Load(high + i);
            (a + b).Store(low + i);
            (a - b).Store(high + i);
        }

        for (; i < count; i++)
        {
            float a = low[i], b = high[i];
            low[i] = a + b;
            high[i] = a - b;
        }
    }

    // Each lane and the one whose number differs in a bit: their sum and their difference.
    private void MixWithin16(float* values)
    {
        Vector512<float> one = Vector512.Create(
            1f, -1f, 1f, -1f, 1f, -1f, 1f, -1f, 1f, -1f, 1f, -1f, 1f, -1f, 1f, -1f);
        Vector512<float> two = Vector512.Create(
            1f, 1f, -1f, -1f, 1f, 1f, -1f, -1f, 1f, 1f, -1f, -1f, 1f, 1f, -1f, -1f);
        Vector512<float> four = Vector512.Create(
            1f, 1f, 1f, 1f, -1f, -1f, -1f, -1f, 1f, 1f, 1f, 1f, -1f, -1f, -1f, -1f);
        Vector512<float> eight = Vector512.Create(
            1f, 1f, 1f, 1f, 1f, 1f, 1f, 1f, -1f, -1f, -1f, -1f, -1f, -1f, -1f, -1f);
        for (int i = 0; i < _window; i += 16)
        {
            Vector512<float> lanes = Vector512.Load(values + i);
            lanes = (lanes * one) + Vector512.Shuffle(
                lanes, Vector512.Create(1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
            lanes = (lanes * two) + Vector512.Shuffle(
                lanes, Vector512.Create(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
            lanes = (lanes * four) + Vector512.Shuffle(
                lanes, Vector512.Create(4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
            lanes = (lanes * eight) + Vector512.Shuffle(
                lanes, Vector512.Create(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
            lanes.Store(values + i);
        }
    }
}
