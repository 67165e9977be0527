using System.Globalization;
using System.Text.Json;
using AiDb.Engine.Collections.Payloads;

namespace AiDb.Engine.Collections.Queries;

/// <summary>Computes a formula for one point after the other.</summary>
/// <remarks>Thread safety: none.</remarks>
internal sealed class FormulaEvaluator(Formula formula)
{
    /// <summary>The value of a decay at its scale where a request does not say.</summary>
    public const double DefaultMidpoint = 0.5;

    private readonly List<JsonElement> _values = [];

    /// <summary>The point at hand.</summary>
    public PointId Point { get; set; }

    /// <summary>Its payload.</summary>
    public Payload? Payload { get; set; }

    /// <summary>The scores of the prefetches, by their number.</summary>
    public required IReadOnlyList<IReadOnlyDictionary<PointId, float>> Scores { get; init; }

    /// <summary>The points for which the conditions hold, by the conditions' numbers.</summary>
    public required IReadOnlyList<IReadOnlySet<PointId>> Matches { get; init; }

    /// <summary>The score of the point at hand.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a variable has no value or one of the
    /// wrong kind, or a result is no finite number.</exception>
    public double Evaluate() => Evaluate(formula.Expression);

    private double Evaluate(Expression expression)
    {
        switch (expression)
        {
            case ConstantExpression constant:
                return constant.Value;
            case VariableExpression variable:
                return formula.ScoreOf(variable.Name) is { } prefetch
                    ? Score(prefetch)
                    : Number(variable.Name);
            case ConditionExpression condition:
                return Matches[formula.NumberOf(condition.Condition)].Contains(Point) ? 1 : 0;
            case GeoDistanceExpression geo:
                return Geography.Distance(geo.Origin, Place(geo.Path));
            case DatetimeExpression time:
                return Seconds(time.Time.UtcTicks);
            case DatetimeKeyExpression key:
                return Time(key.Path);
            case DecayExpression decay:
                return Decay(decay);
            default:
                return Function((FunctionExpression)expression);
        }
    }

    private double Function(FunctionExpression function)
    {
        IReadOnlyList<Expression> arguments = function.Arguments;
        switch (function.Function)
        {
            case ExpressionFunction.Sum:
                double sum = 0;
                foreach (Expression argument in arguments)
                    sum += Evaluate(argument);
                return sum;
            case ExpressionFunction.Multiply:
                return Product(arguments);
            case ExpressionFunction.Divide:
                return Quotient(arguments);
            case ExpressionFunction.Negate:
                return -Evaluate(arguments[0]);
            case ExpressionFunction.Abs:
                return Math.Abs(Evaluate(arguments[0]));
            case ExpressionFunction.Power:
                double power = Evaluate(arguments[0]);
                double exponent = Evaluate(arguments[1]);
                return Finite(Math.Pow(power, exponent), $"{power} to the power of {exponent}");
            default:
                double value = Evaluate(arguments[0]);
                return Finite(Of(function.Function, value), $"{function.Function} of {value}");
        }
    }

    private static double Of(ExpressionFunction function, double value) => function switch
    {
        ExpressionFunction.Sqrt => Math.Sqrt(value),
        ExpressionFunction.Exp => Math.Exp(value),
        ExpressionFunction.Log10 => Math.Log10(value),
        _ => Math.Log(value),
    };

    // A factor of 0 decides: what comes after it is not looked at, and need not have a value.
    private double Product(IReadOnlyList<Expression> factors)
    {
        double product = 1;
        foreach (Expression factor in factors)
        {
            double value = Evaluate(factor);
            if (value == 0)
                return 0;
            product *= value;
        }

        return product;
    }

    private double Quotient(IReadOnlyList<Expression> arguments)
    {
        double left = Evaluate(arguments[0]);
        if (left == 0)
            return 0;
        double right = Evaluate(arguments[1]);
        if (right == 0 && arguments.Count > 2)
            return Evaluate(arguments[2]);
        return Finite(left / right, $"{left} / {right}");
    }

    private double Decay(DecayExpression decay)
    {
        double distance = Math.Abs(Evaluate(decay.Value) - (decay.Target is null ? 0 : Evaluate(decay.Target)));
        double midpoint = decay.Midpoint ?? DefaultMidpoint;
        double steps = distance / (decay.Scale ?? 1);
        return decay.Curve switch
        {
            DecayCurve.Linear => Math.Max(0, 1 - ((1 - midpoint) * steps)),
            DecayCurve.Exponential => Math.Exp(Math.Log(midpoint) * steps),
            _ => Math.Exp(Math.Log(midpoint) * steps * steps),
        };
    }

    private double Score(int prefetch) =>
        prefetch < Scores.Count && Scores[prefetch].TryGetValue(Point, out float score)
            ? score
            : formula.DefaultScoreOf(prefetch);

    private double Number(string path)
    {
        JsonElement value = Value(path, "number");
        return value.ValueKind == JsonValueKind.Number
            ? Finite(value.GetDouble(), $"the value of {path}")
            : throw WrongKind(path, "number", value);
    }

    private GeoPoint Place(string path)
    {
        JsonElement value = Value(path, "geo point");
        return JsonValues.TryGetPlace(value, out GeoPoint place) ? place : throw WrongKind(path, "geo point", value);
    }

    private double Time(string path)
    {
        JsonElement value = Value(path, "datetime");
        return JsonValues.TryGetTime(value, out long ticks) ? Seconds(ticks) : throw WrongKind(path, "datetime", value);
    }

    private JsonElement Value(string path, string kind)
    {
        _values.Clear();
        formula.PathOf(path).Collect(Payload, _values);
        if (_values.Count > 1)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"formula: {path} of point {Point} has {_values.Count} values; a {kind} is expected.");
        }

        if (_values.Count == 1)
            return _values[0];
        return formula.Defaults.TryGetValue(path, out JsonElement value)
            ? value
            : throw new AiDbException(
                AiDbErrorKind.InvalidArgument,
                $"formula: {path} has no value in the payload of point {Point} and none in defaults; a {kind} is expected.");
    }

    private AiDbException WrongKind(string path, string kind, JsonElement value) => new(
        AiDbErrorKind.InvalidArgument, $"formula: {path} of point {Point} is {value.ValueKind}; a {kind} is expected.");

    private double Finite(double value, string what) => double.IsFinite(value)
        ? value
        : throw new AiDbException(
            AiDbErrorKind.InvalidArgument,
            string.Create(CultureInfo.InvariantCulture, $"formula: {what} of point {Point} is not a finite number."));

    private static double Seconds(long ticks) =>
        (ticks - DateTimeOffset.UnixEpoch.Ticks) / (double)TimeSpan.TicksPerSecond;
}
