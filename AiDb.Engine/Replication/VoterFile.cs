using System.Buffers.Binary;
using AiDb.Engine.Manifest;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Replication;

/// <summary>The file VOTER in a replica's folder: what the voter promised, and where the epochs of its log begin. Format:
/// docs/formats/voter.md.</summary>
/// <remarks>Replaced as a whole, by a rename: there is the state before or the state after. A promise that was answered must
/// never be lost, so a damaged file is refused, not begun anew.</remarks>
public static class VoterFile
{
    /// <summary>The file's name.</summary>
    public const string Name = "VOTER";

    private const string Temporary = "VOTER.tmp";
    private const int FormatVersion = 1;
    private const int HeaderBytes = 32;
    private const int MarkBytes = 16;
    private const int ChecksumBytes = 4;

    private static ReadOnlySpan<byte> Magic => "AiDbVote"u8;

    /// <summary>Reads a folder's file; <see cref="VoterState.Empty"/> where there is none.</summary>
    /// <exception cref="AiDbException"><see cref="AiDbErrorKind.DataLoss"/>: it is damaged;
    /// <see cref="AiDbErrorKind.Unimplemented"/>: a newer program wrote it.</exception>
    public static VoterState Read(IFileSystem files, string folder)
    {
        ArgumentNullException.ThrowIfNull(files);
        string path = DatabaseFiles.Combine(folder, Name);
        if (!files.FileExists(path))
            return VoterState.Empty;
        return Parse(ManifestFile.ReadAll(files, path), path);
    }

    /// <summary>Replaces a folder's file, durably.</summary>
    /// <exception cref="IOException">The disk failed; the file holds the state before or the new one.</exception>
    public static void Write(IFileSystem files, string folder, VoterState state)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(state);
        string temporary = DatabaseFiles.Combine(folder, Temporary);
        files.DeleteFile(temporary);
        using (IStorageFile file = files.Open(temporary, FileOpenMode.CreateNew))
        {
            file.Write(0, Format(state));
            file.Sync();
        }

        files.Rename(temporary, DatabaseFiles.Combine(folder, Name));
        files.SyncDirectory(folder);
    }

    private static byte[] Format(VoterState state)
    {
        byte[] bytes = new byte[HeaderBytes + (state.Epochs.Count * MarkBytes) + ChecksumBytes];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), FormatVersion);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), state.Epochs.Count);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16), state.Promised);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(24), state.Generation);
        for (int index = 0; index < state.Epochs.Count; index++)
        {
            Span<byte> mark = bytes.AsSpan(HeaderBytes + (index * MarkBytes));
            BinaryPrimitives.WriteUInt64LittleEndian(mark, state.Epochs[index].Epoch);
            BinaryPrimitives.WriteUInt64LittleEndian(mark[8..], state.Epochs[index].StartLsn);
        }

        int covered = bytes.Length - ChecksumBytes;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(covered), Crc32C.Compute(bytes.AsSpan(0, covered)));
        return bytes;
    }

    private static VoterState Parse(ReadOnlySpan<byte> bytes, string path)
    {
        int covered = bytes.Length - ChecksumBytes;
        if (covered < HeaderBytes || !bytes[..8].SequenceEqual(Magic))
            throw Damaged(path, "it does not begin as it should");
        int version = BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]);
        if (version != FormatVersion)
        {
            throw new AiDbException(
                AiDbErrorKind.Unimplemented,
                $"{path} has format version {version}; this program reads {FormatVersion}. Use the program that wrote it.");
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[covered..]) != Crc32C.Compute(bytes[..covered]))
            throw Damaged(path, "it does not match its checksum");
        int count = BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]);
        if (covered != HeaderBytes + ((long)count * MarkBytes))
            throw Damaged(path, $"it is not of the length that {count} epochs take");
        var epochs = new EpochStart[count];
        for (int index = 0; index < count; index++)
        {
            ReadOnlySpan<byte> mark = bytes[(HeaderBytes + (index * MarkBytes))..];
            epochs[index] = new EpochStart(
                BinaryPrimitives.ReadUInt64LittleEndian(mark), BinaryPrimitives.ReadUInt64LittleEndian(mark[8..]));
            if (index > 0 && (epochs[index].Epoch <= epochs[index - 1].Epoch
                || epochs[index].StartLsn <= epochs[index - 1].StartLsn))
            {
                throw Damaged(path, $"its epochs do not rise at {epochs[index].Epoch}");
            }
        }

        return new VoterState(
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]), BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]), epochs);
    }

    private static AiDbException Damaged(string path, string what) => new(
        AiDbErrorKind.DataLoss,
        $"{path}: {what}. What this voter promised is not known, so it must not vote: give the node an empty data folder, which is "
        + "a new disk, and let it copy the shard from the others.");
}
