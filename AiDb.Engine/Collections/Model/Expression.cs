namespace AiDb.Engine.Collections;

/// <summary>A formula that scores a point. Variables are <c>$score</c>, <c>$score[n]</c> (the nth prefetch) and
/// payload paths.</summary>
public abstract record Expression
{
    private protected Expression()
    {
    }
}

/// <summary>A number.</summary>
/// <param name="Value">The number.</param>
public sealed record ConstantExpression(double Value) : Expression;

/// <summary>A variable.</summary>
/// <param name="Name">A score or a payload path.</param>
public sealed record VariableExpression(string Name) : Expression;

/// <summary>1 where a condition holds, else 0.</summary>
/// <param name="Condition">The condition.</param>
public sealed record ConditionExpression(Condition Condition) : Expression;

/// <summary>Metres from a place to that of a payload field.</summary>
/// <param name="Origin">The place.</param>
/// <param name="Path">The field.</param>
public sealed record GeoDistanceExpression(GeoPoint Origin, string Path) : Expression;

/// <summary>A fixed time, in seconds since 1970.</summary>
/// <param name="Time">The time.</param>
public sealed record DatetimeExpression(DateTimeOffset Time) : Expression;

/// <summary>The time of a payload field, in seconds since 1970.</summary>
/// <param name="Path">The field.</param>
public sealed record DatetimeKeyExpression(string Path) : Expression;

/// <summary>Functions of a formula.</summary>
public enum ExpressionFunction
{
    /// <summary>The sum of all.</summary>
    Sum,

    /// <summary>The product of all.</summary>
    Multiply,

    /// <summary>The first by the second; the third is the answer where the second is 0.</summary>
    Divide,

    /// <summary>Minus the only one.</summary>
    Negate,

    /// <summary>The absolute value.</summary>
    Abs,

    /// <summary>The square root.</summary>
    Sqrt,

    /// <summary>The first to the power of the second.</summary>
    Power,

    /// <summary>e to the power of it.</summary>
    Exp,

    /// <summary>The logarithm to base 10.</summary>
    Log10,

    /// <summary>The natural logarithm.</summary>
    Ln,
}

/// <summary>A function of further expressions.</summary>
/// <param name="Function">Which.</param>
/// <param name="Arguments">What it takes.</param>
public sealed record FunctionExpression(ExpressionFunction Function, IReadOnlyList<Expression> Arguments) : Expression;

/// <summary>Curves by which a score decays with the distance from a target.</summary>
public enum DecayCurve
{
    /// <summary>In a straight line.</summary>
    Linear,

    /// <summary>Exponentially.</summary>
    Exponential,

    /// <summary>As a bell curve.</summary>
    Gaussian,
}

/// <summary>1 at the target, <paramref name="Midpoint"/> at the distance <paramref name="Scale"/>.</summary>
/// <param name="Curve">The curve.</param>
/// <param name="Value">What is compared with the target.</param>
/// <param name="Target">The target; null: 0.</param>
/// <param name="Scale">The distance; null: 1.</param>
/// <param name="Midpoint">The value there, between 0 and 1; null: 0.5.</param>
public sealed record DecayExpression(
    DecayCurve Curve, Expression Value, Expression? Target, double? Scale, double? Midpoint) : Expression;
