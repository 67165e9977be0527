using System.Globalization;
using AiDb.Contracts.V1;
using AiDb.Gateway.Front;
using Microsoft.Extensions.Primitives;

namespace AiDb.Gateway.Rest;

/// <summary>Versions as entity tags, and conditions by If-Match and If-None-Match.</summary>
internal static class EntityTags
{
    /// <summary>The entity tag of a version.</summary>
    public static string Format(ulong version) => string.Create(CultureInfo.InvariantCulture, $"\"{version}\"");

    /// <summary>The condition that a request's headers make; null: none.</summary>
    public static Condition? ConditionOf(HttpRequest request) =>
        ConditionOf(Single(request.Headers.IfMatch, "If-Match"), Single(request.Headers.IfNoneMatch, "If-None-Match"));

    /// <summary>The condition that two tags make; null: none.</summary>
    /// <param name="ifMatch"><c>*</c> (the key must exist), or the version that it must have.</param>
    /// <param name="ifNoneMatch"><c>*</c> (the key must be absent), or the version that it must not
    /// have.</param>
    public static Condition? ConditionOf(string? ifMatch, string? ifNoneMatch)
    {
        if (ifMatch is not null && ifNoneMatch is not null)
            throw RequestLimits.Invalid("If-Match and If-None-Match exclude each other; send one of them.");
        if (ifMatch is not null)
        {
            return ifMatch == "*"
                ? new Condition { Kind = Condition.Types.Kind.Exists }
                : new Condition { Kind = Condition.Types.Kind.VersionEquals, Version = Parse(ifMatch, "If-Match") };
        }

        if (ifNoneMatch is null)
            return null;
        return ifNoneMatch == "*"
            ? new Condition { Kind = Condition.Types.Kind.Absent }
            : new Condition { Kind = Condition.Types.Kind.VersionDiffers, Version = Parse(ifNoneMatch, "If-None-Match") };
    }

    private static string? Single(StringValues values, string header)
    {
        string? text = values.Count switch
        {
            0 => null,
            1 => values[0],
            _ => throw RequestLimits.Invalid($"{header}: send one entity tag, not several."),
        };
        if (text is null)
            return null;
        text = text.Trim();
        if (text != "*" && !(text.Length >= 2 && text[0] == '"' && text[^1] == '"'))
        {
            throw RequestLimits.Invalid(
                $"{header}: it is * or one entity tag in quotes, as ETag gave it, not '{RequestLimits.Shown(text)}'.");
        }

        return text.Trim('"');
    }

    private static ulong Parse(string text, string field) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong version)
            ? version
            : throw RequestLimits.Invalid(
                $"{field}: '{RequestLimits.Shown(text)}' is not a version; versions are the numbers that ETag gives.");
}
