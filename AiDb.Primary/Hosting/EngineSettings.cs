using System.Collections.Frozen;
using System.Reflection;
using AiDb.Engine;

namespace AiDb.Primary.Hosting;

/// <summary>Reads the section <c>AiDb:Engine</c>: the settings of every shard's engine.</summary>
public static class EngineSettings
{
    /// <summary>The section's name.</summary>
    public const string Section = "AiDb:Engine";

    private static readonly FrozenSet<string> Names = typeof(DatabaseOptions)
        .GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(static property => property.CanWrite)
        .Select(static property => property.Name)
        .ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>The settings, or the defaults for what is not set; adds what is wrong to
    /// <paramref name="errors"/>.</summary>
    public static DatabaseOptions Read(IConfiguration configuration, List<string> errors)
    {
        IConfigurationSection section = configuration.GetSection(Section);
        foreach (IConfigurationSection setting in section.GetChildren())
        {
            if (!Names.Contains(setting.Key))
                errors.Add($"{setting.Path} is no setting; there are {string.Join(", ", Names.Order(StringComparer.Ordinal))}");
        }

        try
        {
            DatabaseOptions options = section.Get<DatabaseOptions>() ?? new DatabaseOptions();
            options.Validate();
            return options;
        }
        catch (Exception error) when (error is InvalidOperationException or AiDbException)
        {
            errors.Add($"{Section}: {error.Message.TrimEnd('.')}");
            return new DatabaseOptions();
        }
    }
}
