using System.Text.Json;
using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Gateway.Qdrant.Rest.Reading;

/// <summary>Reads formulas: numbers, variables, conditions, and objects of one function, as in
/// <c>{"sum": ["$score", {"mult": [0.5, "popularity"]}]}</c>.</summary>
internal static class ExpressionReader
{
    /// <summary>Levels of a formula at most.</summary>
    public const int MaxDepth = 32;

    /// <summary>Reads a formula.</summary>
    public static Expression Read(JsonField field) => Read(field, MaxDepth);

    private static Expression Read(JsonField field, int depth)
    {
        if (depth == 0)
            throw field.Invalid($"formulas nest at most {MaxDepth} levels");
        if (field.Kind == JsonValueKind.Number)
            return new ConstantExpression(field.AsDouble());
        if (field.Kind == JsonValueKind.String)
            return new VariableExpression(field.AsString());
        if (!field.IsObject)
            throw field.Wrong("a number, a variable, a condition or a function");
        if (FilterReader.IsCondition(field))
            return new ConditionExpression(FilterReader.ReadCondition(field));
        if (field.Members().Count() != 1)
            throw field.Invalid("give one function, such as {\"sum\": [...]}");
        (string name, JsonField value) = field.Members().First();
        return ReadFunction(name, value, depth - 1);
    }

    private static Expression ReadFunction(string name, JsonField value, int depth) => name switch
    {
        "sum" => Many(ExpressionFunction.Sum, value, depth),
        "mult" => Many(ExpressionFunction.Multiply, value, depth),
        "neg" => One(ExpressionFunction.Negate, value, depth),
        "abs" => One(ExpressionFunction.Abs, value, depth),
        "sqrt" => One(ExpressionFunction.Sqrt, value, depth),
        "exp" => One(ExpressionFunction.Exp, value, depth),
        "log10" => One(ExpressionFunction.Log10, value, depth),
        "ln" => One(ExpressionFunction.Ln, value, depth),
        "div" => ReadDivision(value, depth),
        "pow" => new FunctionExpression(
            ExpressionFunction.Power, [Read(value.Require("base"), depth), Read(value.Require("exponent"), depth)]),
        "geo_distance" => new GeoDistanceExpression(
            FieldConditionReader.ReadPlace(value.Require("origin")), value.Require("to").AsString()),
        "datetime" => new DatetimeExpression(FieldConditionReader.ReadTime(value)),
        "datetime_key" => new DatetimeKeyExpression(value.AsString()),
        "lin_decay" => ReadDecay(DecayCurve.Linear, value, depth),
        "exp_decay" => ReadDecay(DecayCurve.Exponential, value, depth),
        "gauss_decay" => ReadDecay(DecayCurve.Gaussian, value, depth),
        _ => throw value.Invalid("there is no such function"),
    };

    private static FunctionExpression Many(ExpressionFunction function, JsonField value, int depth) =>
        new(function, value.Map(argument => Read(argument, depth)));

    private static FunctionExpression One(ExpressionFunction function, JsonField value, int depth) =>
        new(function, [Read(value, depth)]);

    private static FunctionExpression ReadDivision(JsonField value, int depth)
    {
        List<Expression> arguments = [Read(value.Require("left"), depth), Read(value.Require("right"), depth)];
        if (value.Get("by_zero_default") is { } byZero)
            arguments.Add(new ConstantExpression(byZero.AsDouble()));
        return new FunctionExpression(ExpressionFunction.Divide, arguments);
    }

    private static DecayExpression ReadDecay(DecayCurve curve, JsonField value, int depth)
    {
        JsonField? midpoint = value.Get("midpoint");
        if (midpoint is not null && midpoint.AsDouble() is <= 0 or >= 1)
            throw midpoint.Wrong("more than 0 and less than 1");
        JsonField? scale = value.Get("scale");
        if (scale is not null && scale.AsDouble() <= 0)
            throw scale.Wrong("more than 0");
        return new DecayExpression(
            curve,
            Read(value.Require("x"), depth),
            value.Get("target") is { } target ? Read(target, depth) : null,
            scale?.AsDouble(),
            midpoint?.AsDouble());
    }
}
