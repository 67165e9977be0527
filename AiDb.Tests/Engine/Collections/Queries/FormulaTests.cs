using System.Text.Json;
using AiDb.Engine.Collections;
using AiDb.Engine.Collections.Queries;

namespace AiDb.Tests.Engine.Collections.Queries;

public sealed class FormulaTests
{
    private static readonly PointId Id = new(7);

    private static readonly Payload Sample = Parse("""
        {"number": 85, "list": [1, 2], "one": [3], "text": "x", "nothing": null,
         "place": {"lon": 13.4, "lat": 52.5}, "at": "1970-01-02T00:00:00Z", "a": {"b": [{"c": 5}]}, "a.b": 6}
        """);

    [Theory]
    [InlineData("number", 85)]
    [InlineData("one", 3)]
    [InlineData("a.b[].c", 5)]
    [InlineData("a.b[0].c", 5)]
    [InlineData("\"a.b\"", 6)]
    [InlineData("$score", 1)]
    [InlineData("$score[1]", 2)]
    [InlineData("$score[9]", 0)]
    public void Variables_are_payload_fields_or_scores_of_prefetches(string name, double expected)
    {
        Assert.Equal(expected, Evaluate(new VariableExpression(name)));
    }

    [Fact]
    public void Functions_compute_what_their_names_say()
    {
        Assert.Equal(88, Evaluate(F(ExpressionFunction.Sum, C(1), C(2), V("number"))));
        Assert.Equal(0, Evaluate(F(ExpressionFunction.Sum)));
        Assert.Equal(170, Evaluate(F(ExpressionFunction.Multiply, C(2), V("number"))));
        Assert.Equal(42.5, Evaluate(F(ExpressionFunction.Divide, V("number"), C(2))));
        Assert.Equal(-85, Evaluate(F(ExpressionFunction.Negate, V("number"))));
        Assert.Equal(3, Evaluate(F(ExpressionFunction.Abs, C(-3))));
        Assert.Equal(3, Evaluate(F(ExpressionFunction.Sqrt, C(9))));
        Assert.Equal(8, Evaluate(F(ExpressionFunction.Power, C(2), C(3))));
        Assert.Equal(Math.E, Evaluate(F(ExpressionFunction.Exp, C(1))), 12);
        Assert.Equal(3, Evaluate(F(ExpressionFunction.Log10, C(1000))), 12);
        Assert.Equal(2, Evaluate(F(ExpressionFunction.Ln, C(Math.E * Math.E))), 12);
    }

    [Fact]
    public void Zero_decides_a_product_and_a_quotient_before_the_rest_is_looked_at()
    {
        Assert.Equal(0, Evaluate(F(ExpressionFunction.Multiply, C(0), V("absent"))));
        Assert.Equal(0, Evaluate(F(ExpressionFunction.Divide, C(0), V("absent"))));
    }

    [Fact]
    public void A_division_by_zero_gives_its_default_or_is_refused()
    {
        Assert.Equal(9, Evaluate(F(ExpressionFunction.Divide, C(1), C(0), C(9))));
        Refused("1 / 0", F(ExpressionFunction.Divide, C(1), C(0)));
    }

    [Theory]
    [InlineData(ExpressionFunction.Sqrt, -1)]
    [InlineData(ExpressionFunction.Ln, 0)]
    [InlineData(ExpressionFunction.Log10, -1)]
    [InlineData(ExpressionFunction.Exp, 1e9)]
    public void Results_that_are_no_finite_numbers_are_refused(ExpressionFunction function, double value)
    {
        Refused("not a finite number", F(function, C(value)));
    }

    [Theory]
    [InlineData("absent")]
    [InlineData("nothing")]
    public void A_missing_value_comes_from_the_defaults_or_is_refused(string path)
    {
        Assert.Equal(4, Evaluate(V(path), (path, "4")));
        Refused(path, V(path));
    }

    [Fact]
    public void Values_of_the_wrong_kind_and_several_values_are_refused()
    {
        Refused("text", V("text"));
        Refused("list", V("list"));
        Refused("number", new DatetimeKeyExpression("number"));
        Refused("number", new GeoDistanceExpression(new GeoPoint(0, 0), "number"));
    }

    [Fact]
    public void A_default_score_counts_for_points_that_a_prefetch_did_not_find()
    {
        Assert.Equal(0.5, Evaluate(V("$score[5]"), ("$score[5]", "0.5")));
        Assert.Equal(1, Evaluate(V("$score"), ("$score[0]", "0.5")));
    }

    [Fact]
    public void Conditions_are_one_where_they_hold()
    {
        HasIdCondition holds = new([Id]);
        HasIdCondition other = new([new PointId(8)]);
        Expression sum = F(
            ExpressionFunction.Sum, new ConditionExpression(holds),
            F(ExpressionFunction.Multiply, C(10), new ConditionExpression(other)));

        Assert.Equal(1, Evaluate(sum));
    }

    [Fact]
    public void Distances_are_metres_on_the_mean_sphere()
    {
        // Berlin to Paris.
        double metres = Evaluate(new GeoDistanceExpression(new GeoPoint(2.35, 48.86), "place"));

        Assert.InRange(metres, 876_000, 880_000);
        double degree = Evaluate(new GeoDistanceExpression(new GeoPoint(13.4, 51.5), "place"));
        Assert.Equal(6_371_008.8 * Math.PI / 180, degree, 3);
    }

    [Fact]
    public void Times_are_seconds_since_1970()
    {
        Assert.Equal(86_400, Evaluate(new DatetimeKeyExpression("at")));
        Assert.Equal(60, Evaluate(new DatetimeExpression(DateTimeOffset.UnixEpoch.AddMinutes(1))));
    }

    [Theory]
    [InlineData(DecayCurve.Linear, 0.75, 0.5, 0)]
    [InlineData(DecayCurve.Exponential, 0.7071067811865476, 0.5, 0.0625)]
    [InlineData(DecayCurve.Gaussian, 0.8408964152537145, 0.5, 1.52587890625e-05)]
    public void Decay_is_one_at_the_target_and_the_midpoint_at_the_scale(
        DecayCurve curve, double atHalf, double atScale, double atFour)
    {
        Assert.Equal(1, Evaluate(new DecayExpression(curve, C(5), C(5), 10, null)));
        Assert.Equal(atHalf, Evaluate(new DecayExpression(curve, C(10), C(5), 10, null)), 12);
        Assert.Equal(atHalf, Evaluate(new DecayExpression(curve, C(0), C(5), 10, null)), 12);
        Assert.Equal(atScale, Evaluate(new DecayExpression(curve, C(15), C(5), 10, null)), 12);
        Assert.Equal(atFour, Evaluate(new DecayExpression(curve, C(4), null, null, null)), 12);
        Assert.Equal(0.2, Evaluate(new DecayExpression(curve, C(1), null, null, 0.2)), 12);
    }

    [Theory]
    [InlineData("$other")]
    [InlineData("$score.x")]
    [InlineData("$score[]")]
    [InlineData("$score[1][2]")]
    [InlineData("")]
    [InlineData("a..b")]
    [InlineData("a[x]")]
    [InlineData("a[0]b")]
    public void Names_that_are_none_are_refused_before_anything_is_searched(string name)
    {
        Refused("formula", V(name));
    }

    [Theory]
    [InlineData(DecayCurve.Exponential, 1.0, 1.0)]
    [InlineData(DecayCurve.Gaussian, 0.0, 1.0)]
    [InlineData(DecayCurve.Linear, 1.5, 1.0)]
    [InlineData(DecayCurve.Linear, 0.5, 0.0)]
    public void Decays_out_of_their_range_are_refused(DecayCurve curve, double midpoint, double scale)
    {
        Refused("decay", new DecayExpression(curve, C(1), null, scale, midpoint));
    }

    [Fact]
    public void Formulas_that_are_too_deep_too_big_or_lack_arguments_are_refused()
    {
        Expression deep = C(1);
        for (int level = 0; level < QueryLimits.MaxFormulaDepth; level++)
            deep = F(ExpressionFunction.Abs, deep);

        Refused("nested", deep);
        Refused("parts", F(ExpressionFunction.Sum, [.. Enumerable.Repeat(C(1), QueryLimits.MaxFormulaNodes)]));
        Refused("arguments", F(ExpressionFunction.Divide, C(1)));
        Refused("arguments", F(ExpressionFunction.Abs));
        Refused("finite", C(double.NaN));
    }

    private static void Refused(string part, Expression expression)
    {
        AiDbException error = Assert.Throws<AiDbException>(() => Evaluate(expression));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    private static double Evaluate(Expression expression, params (string Name, string Json)[] defaults)
    {
        Dictionary<string, JsonElement> values = defaults.ToDictionary(
            static pair => pair.Name, static pair => JsonDocument.Parse(pair.Json).RootElement);
        Formula formula = Formula.Compile(new FormulaQuery(expression, values), "query.formula");
        return new FormulaEvaluator(formula)
        {
            Point = Id,
            Payload = Sample,
            Scores = [new Dictionary<PointId, float> { [Id] = 1 }, new Dictionary<PointId, float> { [Id] = 2 }],
            Matches = [.. formula.Conditions.Select(static condition =>
                (IReadOnlySet<PointId>)((HasIdCondition)condition).Ids.ToHashSet())],
        }.Evaluate();
    }

    private static Payload Parse(string json) => Payload.Parse(System.Text.Encoding.UTF8.GetBytes(json));

    private static ConstantExpression C(double value) => new(value);

    private static VariableExpression V(string name) => new(name);

    private static FunctionExpression F(ExpressionFunction function, params Expression[] arguments) => new(function, arguments);
}
