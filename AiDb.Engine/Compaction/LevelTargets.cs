using AiDb.Engine.Manifest;

namespace AiDb.Engine.Compaction;

/// <summary>
/// How many bytes each level from 1 on should hold. Level 1 aims at
/// <see cref="DatabaseOptions.Level1Bytes"/>; the levels between it and the deepest one grow by equal steps up
/// to what the deepest holds, ten times at most. So the upper levels never hold much beside the deepest: space
/// and the work of a merge stay bounded also just after a level was added, when fixed steps of ten would let
/// the level above hold many times as much as the new one.
/// </summary>
internal readonly struct LevelTargets
{
    /// <summary>The greatest step from one level to the next.</summary>
    public const double GreatestFactor = 10;

    private const double LeastFactor = 2;

    private readonly double _level1Bytes;
    private readonly double _factor;
    private readonly int _deepest;

    /// <summary>The targets for a tree.</summary>
    public LevelTargets(TreeVersion tree, DatabaseOptions options)
    {
        _level1Bytes = options.Level1Bytes;
        _deepest = tree.DeepestLevel;
        _factor = _deepest <= 1
            ? GreatestFactor
            : Math.Clamp(
                Math.Pow(tree.LevelBytes(_deepest) / _level1Bytes, 1.0 / (_deepest - 1)), LeastFactor, GreatestFactor);
    }

    /// <summary>Bytes that a level (1 or deeper) should hold at most. The deepest may grow until a level below it
    /// is due.</summary>
    public long Of(int level)
    {
        double factor = level >= _deepest ? GreatestFactor : _factor;
        double target = _level1Bytes * Math.Pow(factor, level - 1);
        return target > long.MaxValue / 2 ? long.MaxValue / 2 : (long)target;
    }
}
