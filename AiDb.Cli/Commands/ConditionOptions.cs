using System.CommandLine;
using AiDb.Client;

namespace AiDb.Cli.Commands;

/// <summary>The options that make a write conditional.</summary>
internal sealed class ConditionOptions
{
    private readonly Option<ulong?> _version = new("--if-version") { Description = "Only when the key has this version." };
    private Option<bool>? _existence;

    public void AddTo(Command command, string existenceName, string existenceDescription)
    {
        _existence = new Option<bool>(existenceName) { Description = existenceDescription };
        command.Add(_existence);
        command.Add(_version);
    }

    public Condition Read(ParseResult parsed)
    {
        bool existence = parsed.GetValue(_existence!);
        if (existence && parsed.GetValue(_version) is not null)
        {
            throw new AiDbException(
                AiDbErrorKind.InvalidArgument, $"{_existence!.Name} and --if-version cannot both be asked for");
        }

        if (parsed.GetValue(_version) is { } version)
            return Condition.VersionIs(version);
        if (!existence)
            return Condition.None;
        return _existence!.Name == "--if-absent" ? Condition.MustBeAbsent : Condition.MustExist;
    }
}
