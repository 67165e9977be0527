using AiDb.Engine;

namespace AiDb.Primary.Hosting;

/// <summary>Reads the section <c>AiDb:Engine</c>: the settings of every shard's engine.</summary>
public static class EngineSettings
{
    /// <summary>The section's name.</summary>
    public const string Section = "AiDb:Engine";

    /// <summary>The settings, or the defaults for what is not set; adds what is wrong to
    /// <paramref name="errors"/>.</summary>
    public static DatabaseOptions Read(IConfiguration configuration, List<string> errors)
    {
        try
        {
            DatabaseOptions options = configuration.GetSection(Section)
                .Get<DatabaseOptions>(static binder => binder.ErrorOnUnknownConfiguration = true) ?? new DatabaseOptions();
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
