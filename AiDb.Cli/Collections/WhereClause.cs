using System.Globalization;
using AiDb.Client;

namespace AiDb.Cli.Collections;

/// <summary>Conditions as they are typed: <c>city=Berlin</c>, <c>price&gt;=5</c>, <c>title~two words</c>.</summary>
internal static class WhereClause
{
    public const string Help =
        "A condition on a payload field; several must all hold: city=Berlin, city!=Berlin, city=Berlin|Paris, sold=true, "
        + "price>=5, price<10, title~words of it, title^=begin.";

    private static readonly string[] Operators = ["!=", ">=", "<=", "^=", "=", ">", "<", "~"];

    /// <summary>Reads conditions; null where there are none.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: one is malformed.</exception>
    public static AiDbFilter? Parse(IReadOnlyList<string> conditions) =>
        conditions.Count == 0 ? null : AiDbFilter.All([.. conditions.Select(Parse)]);

    private static AiDbFilter Parse(string condition)
    {
        // The first operator of the text counts; of two at one place, the longer.
        (int at, string sign) = Operators
            .Select(candidate => (At: condition.IndexOf(candidate, StringComparison.Ordinal), Sign: candidate))
            .Where(static found => found.At > 0)
            .OrderBy(static found => found.At).ThenByDescending(static found => found.Sign.Length)
            .FirstOrDefault();
        if (sign is null)
            throw Invalid($"'{condition}' is no condition; write for example city=Berlin or price>=5");
        string field = condition[..at].Trim();
        string value = condition[(at + sign.Length)..].Trim();
        return sign switch
        {
            "=" => Equals(field, value),
            "!=" => AiDbFilter.Not(Equals(field, value)),
            "~" => AiDbFilter.Words(field, value),
            "^=" => AiDbFilter.StartsWith(field, value),
            ">" => AiDbFilter.Range(field, gt: Number(condition, value)),
            ">=" => AiDbFilter.Range(field, gte: Number(condition, value)),
            "<" => AiDbFilter.Range(field, lt: Number(condition, value)),
            _ => AiDbFilter.Range(field, lte: Number(condition, value)),
        };
    }

    private static AiDbFilter Equals(string field, string value)
    {
        string[] values = value.Split('|');
        if (values.Length > 1)
        {
            return Array.TrueForAll(values, static item => long.TryParse(item, CultureInfo.InvariantCulture, out _))
                ? AiDbFilter.OneOf(field, values.Select(static item => long.Parse(item, CultureInfo.InvariantCulture)))
                : AiDbFilter.OneOf(field, values);
        }

        if (value.Length >= 2 && value[0] == '"' && value[^1] == '"')
            return AiDbFilter.Equal(field, value[1..^1]);
        if (long.TryParse(value, CultureInfo.InvariantCulture, out long integer))
            return AiDbFilter.Equal(field, integer);
        return bool.TryParse(value, out bool boolean) ? AiDbFilter.Equal(field, boolean) : AiDbFilter.Equal(field, value);
    }

    private static double Number(string condition, string value) =>
        double.TryParse(value, CultureInfo.InvariantCulture, out double number)
            ? number
            : throw Invalid($"'{condition}' compares with '{value}', which is no number");

    private static AiDbException Invalid(string message) => new(AiDbErrorKind.InvalidArgument, message + ".");
}
