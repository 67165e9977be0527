using AiDb.Engine.Collections.Payloads;
using AiDb.Engine.Collections.Storage;

namespace AiDb.Engine.Collections.Reading;

/// <summary>What of a point comes with a result.</summary>
internal sealed class PointSelection
{
    private readonly HashSet<string>? _names;
    private readonly PayloadProjection _projection;

    /// <summary>Checks the selectors.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.InvalidArgument"/>: a vector does not exist, or a
    /// path is none.</exception>
    public PointSelection(CollectionState state, PayloadSelector withPayload, VectorSelector withVectors)
    {
        _projection = PayloadProjection.Compile(withPayload);
        WithVectors = withVectors.Enabled && withVectors.Names is not { Count: 0 };
        if (!WithVectors || withVectors.Names is not { } names)
            return;
        foreach (string name in names)
        {
            if (!state.HasVectorName(name))
                throw VectorChecks.UnknownName(state.Options, name, "with_vector");
        }

        _names = new HashSet<string>(names, StringComparer.Ordinal);
    }

    /// <summary>Whether anything of the payload comes.</summary>
    public bool WithPayload => _projection.Enabled;

    /// <summary>Whether any vectors come.</summary>
    public bool WithVectors { get; }

    /// <summary>Whether the keys must be read at all.</summary>
    public bool NeedsKeys => WithPayload || WithVectors;

    /// <summary>Whether a vector comes.</summary>
    public bool Wants(string name) => _names is null || _names.Contains(name);

    /// <summary>What comes of a payload; null: nothing.</summary>
    public Payload? Project(Payload payload) => _projection.Apply(payload);
}
