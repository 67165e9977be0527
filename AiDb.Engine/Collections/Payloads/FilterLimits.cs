namespace AiDb.Engine.Collections.Payloads;

/// <summary>What a filter may hold at most, whatever a collection's strict mode says.</summary>
internal static class FilterLimits
{
    /// <summary>Filters within filters.</summary>
    public const int MaxDepth = 32;

    /// <summary>Conditions in all, groups counted.</summary>
    public const int MaxConditions = 65_536;

    /// <summary>Ids and values in all lists together.</summary>
    public const int MaxListed = 1_000_000;

    /// <summary>Characters of a text or a value to compare with.</summary>
    public const int MaxTextLength = 65_536;

    /// <summary>Places of all polygons together.</summary>
    public const int MaxPlaces = 65_536;
}
