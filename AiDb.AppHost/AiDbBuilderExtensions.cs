namespace AiDb.AppHost;

/// <summary>Adds AiDb to an Aspire application.</summary>
internal static class AiDbBuilderExtensions
{
    /// <summary>Adds a cluster, so far a gateway without data nodes.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">Starts the names of all resources: letters, digits, hyphens.</param>
    public static AiDbBuilder AddAiDb(this IDistributedApplicationBuilder builder, string name) => new(builder, name);
}
