using System.Reflection;
using AiDb.Tests.TestSupport;

namespace AiDb.Tests.Conventions;

public sealed class OptionsTests
{
    // The generated messages of the wire are checked where they are turned into options.
    private const string GeneratedNamespace = "AiDb.Contracts.";

    [Fact]
    public void Public_options_are_sealed_records_that_validate_themselves()
    {
        var offences = from type in PublicTypes()
                       where type.Name.EndsWith("Options", StringComparison.Ordinal)
                           && type.Namespace?.StartsWith(GeneratedNamespace, StringComparison.Ordinal) != true
                       let record = type.GetMethod("<Clone>$") is not null
                       let validates = type.GetMethods().Any(IsValidation)
                       where !type.IsSealed || !record || !validates
                       select $"{type.FullName}: sealed {type.IsSealed}, record {record}, Validate {validates}";

        Assert.Empty(offences);
    }

    // What is only ever read from settings may say what is wrong while it reads them.
    private static bool IsValidation(MethodInfo method) => method.Name == "Validate" || method is { IsStatic: true, Name: "Read" };

    private static IEnumerable<Type> PublicTypes() =>
        Repository.Files(".csproj")
            .Select(path => Path.GetFileNameWithoutExtension(path))
            .Where(name => name is not ("AiDb.Tests" or "AiDb.AppHost" or "AiDb.Cli")
                && File.Exists(Path.Combine(AppContext.BaseDirectory, $"{name}.dll")))
            .SelectMany(name => Assembly.Load(name).GetExportedTypes());
}
