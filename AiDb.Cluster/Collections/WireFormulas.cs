using System.Globalization;
using System.Text.Json;
using AiDb.Engine.Collections;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Cluster.Collections;

/// <summary>Formulas on the wire.</summary>
internal static class WireFormulas
{
    public static FormulaQuery FromWire(Wire.Formula formula, string field)
    {
        Dictionary<string, JsonElement> defaults = new(StringComparer.Ordinal);
        foreach ((string name, Wire.Value value) in formula.Defaults)
            defaults[name] = WirePayloads.FromWire(value, field + ".defaults");
        return new FormulaQuery(FromWire(formula.Expression, field + ".expression"), defaults);
    }

    private static Expression FromWire(Wire.Expression? expression, string field)
    {
        switch (expression?.VariantCase)
        {
            case Wire.Expression.VariantOneofCase.Constant:
                return new ConstantExpression(expression.Constant);
            case Wire.Expression.VariantOneofCase.Variable:
                return new VariableExpression(expression.Variable);
            case Wire.Expression.VariantOneofCase.Condition:
                return new ConditionExpression(WireFilters.FromWire(expression.Condition, field + ".condition"));
            case Wire.Expression.VariantOneofCase.GeoDistance:
                Wire.GeoPoint origin = expression.GeoDistance.Origin
                    ?? throw WireErrors.Missing(field + ".geo_distance.origin");
                return new GeoDistanceExpression(new GeoPoint(origin.Lon, origin.Lat), expression.GeoDistance.To);
            case Wire.Expression.VariantOneofCase.Datetime:
                return DateTimeOffset.TryParse(
                    expression.Datetime, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal,
                    out DateTimeOffset time)
                    ? new DatetimeExpression(time)
                    : throw WireErrors.Invalid($"{field}.datetime is not an RFC 3339 time");
            case Wire.Expression.VariantOneofCase.DatetimeKey:
                return new DatetimeKeyExpression(expression.DatetimeKey);
            case Wire.Expression.VariantOneofCase.ExpDecay:
                return Decay(DecayCurve.Exponential, expression.ExpDecay, field + ".exp_decay");
            case Wire.Expression.VariantOneofCase.GaussDecay:
                return Decay(DecayCurve.Gaussian, expression.GaussDecay, field + ".gauss_decay");
            case Wire.Expression.VariantOneofCase.LinDecay:
                return Decay(DecayCurve.Linear, expression.LinDecay, field + ".lin_decay");
            case null or Wire.Expression.VariantOneofCase.None:
                throw WireErrors.Missing(field);
            default:
                return Function(expression, field);
        }
    }

    private static FunctionExpression Function(Wire.Expression expression, string field)
    {
        switch (expression.VariantCase)
        {
            case Wire.Expression.VariantOneofCase.Sum:
                return Function(ExpressionFunction.Sum, field + ".sum", [.. expression.Sum.Sum]);
            case Wire.Expression.VariantOneofCase.Mult:
                return Function(ExpressionFunction.Multiply, field + ".mult", [.. expression.Mult.Mult]);
            case Wire.Expression.VariantOneofCase.Div:
                FunctionExpression quotient = Function(
                    ExpressionFunction.Divide, field + ".div", expression.Div.Left, expression.Div.Right);
                return expression.Div.HasByZeroDefault
                    ? quotient with
                    {
                        Arguments = [.. quotient.Arguments, new ConstantExpression(expression.Div.ByZeroDefault)],
                    }
                    : quotient;
            case Wire.Expression.VariantOneofCase.Pow:
                return Function(ExpressionFunction.Power, field + ".pow", expression.Pow.Base, expression.Pow.Exponent);
            case Wire.Expression.VariantOneofCase.Neg:
                return Function(ExpressionFunction.Negate, field + ".neg", expression.Neg);
            case Wire.Expression.VariantOneofCase.Abs:
                return Function(ExpressionFunction.Abs, field + ".abs", expression.Abs);
            case Wire.Expression.VariantOneofCase.Sqrt:
                return Function(ExpressionFunction.Sqrt, field + ".sqrt", expression.Sqrt);
            case Wire.Expression.VariantOneofCase.Exp:
                return Function(ExpressionFunction.Exp, field + ".exp", expression.Exp);
            case Wire.Expression.VariantOneofCase.Log10:
                return Function(ExpressionFunction.Log10, field + ".log10", expression.Log10);
            case Wire.Expression.VariantOneofCase.Ln:
                return Function(ExpressionFunction.Ln, field + ".ln", expression.Ln);
            default:
                throw WireErrors.Invalid($"{field}: the expression is not known");
        }
    }

    private static FunctionExpression Function(
        ExpressionFunction function, string field, params Wire.Expression?[] arguments) =>
        new(function, [.. arguments.Select(argument => FromWire(argument, field))]);

    private static DecayExpression Decay(DecayCurve curve, Wire.DecayParamsExpression decay, string field) => new(
        curve,
        FromWire(decay.X, field + ".x"),
        decay.Target is null ? null : FromWire(decay.Target, field + ".target"),
        decay.HasScale ? decay.Scale : null,
        decay.HasMidpoint ? decay.Midpoint : null);
}
