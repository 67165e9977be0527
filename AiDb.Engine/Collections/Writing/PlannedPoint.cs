using AiDb.Engine.Collections.Indexing;
using AiDb.Engine.Collections.Storage;

namespace AiDb.Engine.Collections.Writing;

/// <summary>One point as it will be after the operations of a write that were planned so far.</summary>
/// <remarks>Thread safety: none; belongs to one <see cref="WritePlan"/>.</remarks>
internal sealed class PlannedPoint(PointId id)
{
    private SortedSet<string>? _kept;

    /// <summary>The point.</summary>
    public PointId Id { get; } = id;

    /// <summary>The point as the keys have it; null: there is none, or it was not read.</summary>
    public StoredPoint? Base { get; private set; }

    /// <summary>Whether the key was read, so that the write holds only while it stays as it was.</summary>
    public bool IsRead { get; private set; }

    /// <summary>Whether its state is known without the key.</summary>
    public bool IsReplaced { get; private set; }

    /// <summary>Whether there is anything to write.</summary>
    public bool IsChanged { get; private set; }

    /// <summary>Whether the payload is another one.</summary>
    private bool IsPayloadChanged { get; set; }

    /// <summary>Whether there is a point.</summary>
    public bool Exists { get; private set; }

    /// <summary>The payload.</summary>
    public Payload Payload { get; private set; } = Payload.Empty;

    /// <summary>The vectors to write.</summary>
    public NamedVectors Written { get; } = [];

    /// <summary>How long a replaced point lives; null: for ever.</summary>
    public TimeSpan? Lifetime { get; private set; }

    /// <summary>All vectors that it has, in order.</summary>
    public IReadOnlyCollection<string> Names
    {
        get
        {
            string[] names = [.. _kept ?? [], .. Written.Keys];
            if (names.Length > 1)
                Array.Sort(names, StringComparer.Ordinal);
            return names;
        }
    }

    /// <summary>Takes in what the key says; null: there is none.</summary>
    public void SetBase(StoredPoint? stored)
    {
        IsRead = true;
        Base = stored;
        Exists = stored is not null;
        Payload = stored?.Payload ?? Payload.Empty;
        if (stored is { Vectors.Count: > 0 })
            _kept = new SortedSet<string>(stored.Vectors, StringComparer.Ordinal);
    }

    /// <summary>Replaces all of it.</summary>
    public void Replace(NamedVectors vectors, Payload payload, TimeSpan? lifetime)
    {
        Forget(exists: true);
        foreach ((string name, VectorValue vector) in vectors)
            Written.Add(name, vector);
        Payload = payload;
        Lifetime = lifetime;
    }

    /// <summary>Deletes it.</summary>
    public void Delete() => Forget(exists: false);

    /// <summary>Sets vectors; others stay.</summary>
    public void SetVectors(NamedVectors vectors)
    {
        foreach ((string name, VectorValue vector) in vectors)
        {
            Written[name] = vector;
            _kept?.Remove(name);
        }

        IsChanged = true;
    }

    /// <summary>Takes vectors away.</summary>
    public void RemoveVectors(IReadOnlyList<string> names)
    {
        foreach (string name in names)
            IsChanged |= Written.Remove(name) | _kept?.Remove(name) == true;
    }

    /// <summary>Sets the payload.</summary>
    public void SetPayload(Payload payload)
    {
        Payload = payload;
        IsChanged = true;
        IsPayloadChanged = true;
    }

    /// <summary>Milliseconds that it lives from now on; 0: for ever.</summary>
    public ulong TimeToLiveMs(ulong nowMs)
    {
        if (IsReplaced)
            return Lifetime is { } lifetime ? (ulong)Math.Max(1, Math.Ceiling(lifetime.TotalMilliseconds)) : 0;
        ulong expiresAtMs = Base?.ExpiresAtMs ?? 0;
        return expiresAtMs == 0 ? 0 : expiresAtMs > nowMs ? expiresAtMs - nowMs : 1;
    }

    /// <summary>What the indexes take in once it is committed.</summary>
    public PointChange ToChange(ulong timeToLiveMs) => Exists
        ? new PointChange
        {
            Id = Id,
            Names = Names,
            Written = Written,
            Payload = IsReplaced || IsPayloadChanged ? Payload : null,
            BaseVersion = IsReplaced ? 0 : Base!.Version,
            TimeToLiveMs = timeToLiveMs,
        }
        : new PointChange { Id = Id, IsDeleted = true };

    private void Forget(bool exists)
    {
        IsReplaced = true;
        IsChanged = true;
        Exists = exists;
        Written.Clear();
        _kept = null;
        Payload = Payload.Empty;
        Lifetime = null;
    }
}
