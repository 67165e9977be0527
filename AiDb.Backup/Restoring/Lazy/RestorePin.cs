using System.Buffers.Binary;
using System.Security.Cryptography;
using AiDb.Backup.Blobs;
using AiDb.Backup.Format;

namespace AiDb.Backup.Restoring.Lazy;

/// <summary>Keeps the objects of a manifest from being deleted while a lazy restore reads them. It holds for
/// <see cref="Archiving.ArchiveOptions.SafeAge"/> from its last renewal on, by the store's clock.</summary>
/// <remarks>Thread safety: one caller at a time.</remarks>
internal sealed class RestorePin(IBlobStore store, ArchivePin pin)
{
    /// <summary>How often it is renewed: a twentieth of the time that it holds.</summary>
    public static readonly TimeSpan RenewInterval = TimeSpan.FromHours(1);

    /// <summary>A pin of its own, in the store when this returns.</summary>
    public static async Task<ArchivePin> CreateAsync(
        IBlobStore store, uint shard, ManifestId manifest, CancellationToken cancellationToken)
    {
        var pin = new ArchivePin(
            shard, BinaryPrimitives.ReadUInt128LittleEndian(RandomNumberGenerator.GetBytes(16)), manifest);
        await new RestorePin(store, pin).RenewAsync(cancellationToken).ConfigureAwait(false);
        return pin;
    }

    /// <summary>Makes it hold from now on.</summary>
    public async Task RenewAsync(CancellationToken cancellationToken)
    {
        List<(string Name, ulong Number)> own = await ListAsync(cancellationToken).ConfigureAwait(false);
        ulong next = own.Count == 0 ? 1 : own[^1].Number + 1;
        string name = ArchiveNames.Pin(pin.Shard, pin.Id, next);
        await store.TryCreateAsync(name, PinCodec.Encode(pin), cancellationToken).ConfigureAwait(false);
        foreach ((string earlier, _) in own)
            await store.DeleteAsync(earlier, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gives the objects up.</summary>
    public async Task ReleaseAsync(CancellationToken cancellationToken)
    {
        foreach ((string name, _) in await ListAsync(cancellationToken).ConfigureAwait(false))
            await store.DeleteAsync(name, cancellationToken).ConfigureAwait(false);
    }

    private async Task<List<(string Name, ulong Number)>> ListAsync(CancellationToken cancellationToken)
    {
        List<(string, ulong)> own = [];
        foreach (string name in await store.ListNamesAsync(ArchiveNames.Pins(pin.Shard), cancellationToken).ConfigureAwait(false))
        {
            if (ArchiveNames.TryParsePin(name, pin.Shard, out UInt128 id, out ulong number) && id == pin.Id)
                own.Add((name, number));
        }

        return own;
    }
}
