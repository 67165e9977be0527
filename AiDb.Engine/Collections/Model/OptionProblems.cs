namespace AiDb.Engine.Collections;

/// <summary>Collects what is wrong with settings, by the names that users gave them.</summary>
internal sealed class OptionProblems
{
    private readonly List<string> _problems = [];
    private string _path = "";

    /// <summary>Runs a check and throws what it found.</summary>
    public static void ThrowIfAny(Action<OptionProblems> check)
    {
        var problems = new OptionProblems();
        check(problems);
        if (problems._problems.Count > 0)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, "Invalid settings: " + string.Join("; ", problems._problems) + ".");
        }
    }

    /// <summary>Notes a setting that breaks its rule.</summary>
    public void Require(bool holds, string field, string rule)
    {
        if (!holds)
            _problems.Add($"{_path}{field} must be {rule}");
    }

    /// <summary>Checks settings below a name; null: there are none.</summary>
    public void Within(string field, Action<OptionProblems>? check)
    {
        if (check is null)
            return;
        string outer = _path;
        _path = $"{outer}{field}.";
        check(this);
        _path = outer;
    }
}
