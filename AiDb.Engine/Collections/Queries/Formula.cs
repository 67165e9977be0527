using System.Globalization;
using System.Text.Json;

namespace AiDb.Engine.Collections.Queries;

/// <summary>A formula that was checked: its variables, paths and conditions are known.</summary>
/// <remarks>Thread safety: immutable.</remarks>
internal sealed class Formula
{
    private readonly Dictionary<string, int> _scores = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PayloadValues> _paths = new(StringComparer.Ordinal);
    private readonly Dictionary<int, double> _defaultScores = [];
    private readonly Dictionary<Condition, int> _conditions = new(ReferenceEqualityComparer.Instance);
    private readonly string _field;
    private int _nodes;

    private Formula(FormulaQuery query, string field)
    {
        _field = field;
        Expression = query.Expression;
        Defaults = query.Defaults;
    }

    /// <summary>What is computed.</summary>
    public Expression Expression { get; }

    /// <summary>Values of variables that a point does not have.</summary>
    public IReadOnlyDictionary<string, JsonElement> Defaults { get; }

    /// <summary>The payload fields that it reads.</summary>
    public IReadOnlyCollection<PayloadValues> Paths => _paths.Values;

    /// <summary>The conditions in it, in the order of their numbers.</summary>
    public IReadOnlyCollection<Condition> Conditions => _conditions.Keys;

    /// <summary>Checks a formula.</summary>
    /// <param name="query">The formula.</param>
    /// <param name="field">Its name in the request.</param>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: too big, or a part is not
    /// valid.</exception>
    public static Formula Compile(FormulaQuery query, string field)
    {
        Formula formula = new(query, field);
        foreach ((string name, JsonElement value) in query.Defaults)
        {
            formula.AddVariable(name, keepPath: false);
            if (formula.ScoreOf(name) is { } prefetch && value.ValueKind == JsonValueKind.Number)
                formula._defaultScores[prefetch] = value.GetDouble();
        }

        formula.Add(query.Expression, 1);
        return formula;
    }

    /// <summary>The number of the prefetch whose score a variable is; null: it is a payload field.</summary>
    public int? ScoreOf(string variable) => _scores.TryGetValue(variable, out int prefetch) ? prefetch : null;

    /// <summary>The score of points that a prefetch did not find.</summary>
    public double DefaultScoreOf(int prefetch) => _defaultScores.GetValueOrDefault(prefetch);

    /// <summary>The path of a payload field.</summary>
    public PayloadValues PathOf(string variable) => _paths[variable];

    /// <summary>The number of a condition.</summary>
    public int NumberOf(Condition condition) => _conditions[condition];

    private void Add(Expression expression, int depth)
    {
        if (depth > QueryLimits.MaxFormulaDepth)
            throw QueryErrors.Invalid(_field, $"is nested more than {QueryLimits.MaxFormulaDepth} deep");
        if (++_nodes > QueryLimits.MaxFormulaNodes)
            throw QueryErrors.Invalid(_field, $"has more than {QueryLimits.MaxFormulaNodes} parts");
        switch (expression)
        {
            case ConstantExpression constant when !double.IsFinite(constant.Value):
                throw QueryErrors.Invalid(_field, "has a constant that is not a finite number");
            case VariableExpression variable:
                AddVariable(variable.Name, keepPath: true);
                break;
            case ConditionExpression condition:
                _conditions.TryAdd(condition.Condition, _conditions.Count);
                break;
            case GeoDistanceExpression geo:
                AddPath(geo.Path);
                break;
            case DatetimeKeyExpression time:
                AddPath(time.Path);
                break;
            case DecayExpression decay:
                CheckDecay(decay);
                Add(decay.Value, depth + 1);
                if (decay.Target is not null)
                    Add(decay.Target, depth + 1);
                break;
            case FunctionExpression function:
                CheckArguments(function);
                foreach (Expression argument in function.Arguments)
                    Add(argument, depth + 1);
                break;
        }
    }

    private void AddVariable(string name, bool keepPath)
    {
        const string Score = "$score";
        if (!name.StartsWith('$'))
        {
            if (keepPath)
                AddPath(name);
            return;
        }

        string rest = name.StartsWith(Score, StringComparison.Ordinal) ? name[Score.Length..] : "?";
        int prefetch = 0;
        bool valid = rest.Length == 0
            || (rest is ['[', .. string number, ']']
                && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out prefetch));
        if (!valid)
            throw QueryErrors.Invalid(_field, $"has the variable {name}; only $score and $score[n] may begin with $");
        _scores[name] = prefetch;
    }

    private void AddPath(string path)
    {
        if (!_paths.ContainsKey(path))
            _paths.Add(path, PayloadValues.Parse(path, _field));
    }

    private void CheckDecay(DecayExpression decay)
    {
        double midpoint = decay.Midpoint ?? FormulaEvaluator.DefaultMidpoint;
        bool inRange = decay.Curve == DecayCurve.Linear ? midpoint is >= 0 and <= 1 : midpoint is > 0 and < 1;
        if (!inRange)
            throw QueryErrors.Invalid(_field, $"has a decay whose midpoint is {midpoint}; it must be between 0 and 1");
        if (decay.Scale is { } scale && !(scale > 0 && double.IsFinite(scale)))
            throw QueryErrors.Invalid(_field, $"has a decay whose scale is {scale}; it must be more than 0");
    }

    private void CheckArguments(FunctionExpression function)
    {
        (int least, int most) = function.Function switch
        {
            ExpressionFunction.Sum or ExpressionFunction.Multiply => (0, int.MaxValue),
            ExpressionFunction.Divide => (2, 3),
            ExpressionFunction.Power => (2, 2),
            _ => (1, 1),
        };
        if (function.Arguments.Count < least || function.Arguments.Count > most)
            throw QueryErrors.Invalid(_field, $"has {function.Function} with {function.Arguments.Count} arguments");
    }
}
