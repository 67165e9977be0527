namespace AiDb.Tests.TestSupport;

/// <summary>Tests that run with no other beside them: they count what the whole process allocates or listens to, and
/// trace listeners of other tests would change both.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "Alone";
}
