using System.Buffers.Binary;
using AiDb.Engine.Storage;

namespace AiDb.Engine.Manifest;

/// <summary>Appends edits to the manifest in force, durably, and begins a new one when that is due.</summary>
/// <remarks>
/// Thread safety: none; its owner holds a lock. After an error the file is never touched again (a failed sync
/// must not be repeated): the next edit begins a new manifest that states everything.
/// </remarks>
internal sealed class ManifestLog : IDisposable
{
    private const long RollBytes = 4L << 20;

    private readonly IFileSystem _fileSystem;
    private readonly string _directory;
    private readonly Func<UInt128> _newId;
    private IStorageFile? _file;
    private UInt128 _fileId;
    private ulong _number;
    private ulong _sequence;
    private long _length;
    private ulong _nextNumber;

    /// <summary>Continues from a state; the first edit begins a new manifest.</summary>
    /// <param name="fileSystem">The disk.</param>
    /// <param name="directory">The database's folder.</param>
    /// <param name="state">What the manifest in force says.</param>
    /// <param name="number">The number of that manifest; 0: there is none.</param>
    /// <param name="newId">Makes file ids.</param>
    public ManifestLog(
        IFileSystem fileSystem, string directory, ManifestState state, ulong number, Func<UInt128> newId)
    {
        _number = number;
        _fileSystem = fileSystem;
        _directory = directory;
        _newId = newId;
        State = state;
        _nextNumber = state.NextNumber;
    }

    /// <summary>The number of the manifest in force.</summary>
    public ulong Number => _number;

    /// <summary>What is durable.</summary>
    public ManifestState State { get; }

    /// <summary>A number that was never given before.</summary>
    public ulong NextNumber() => Interlocked.Increment(ref _nextNumber) - 1;

    /// <summary>Makes an edit durable.</summary>
    public void Append(VersionEdit edit)
    {
        edit.NextNumber = Math.Max(edit.NextNumber ?? 0, Volatile.Read(ref _nextNumber));
        if (_file is null || _length > RollBytes)
        {
            Roll(edit);
            return;
        }

        byte[] record = ManifestFile.Record(_fileId, _sequence, edit);
        try
        {
            _file.Write(_length, record);
            _file.Sync();
        }
        catch
        {
            Close();
            throw;
        }

        _sequence++;
        _length += record.Length;
        Take(edit);
    }

    /// <inheritdoc/>
    public void Dispose() => Close();

    private void Roll(VersionEdit edit)
    {
        // The state after the edit goes into the new file; State itself changes only once that file is in
        // force.
        var next = new ManifestState();
        if (!next.TryApply(State.ToEdit()) || !next.TryApply(edit))
            throw Contradiction();
        ulong number = NextNumber();
        VersionEdit whole = next.ToEdit();
        whole.NextNumber = Math.Max(next.NextNumber, Volatile.Read(ref _nextNumber));
        UInt128 fileId = _newId();
        string path = DatabaseFiles.Combine(_directory, DatabaseFiles.Manifest(number));
        byte[] header = ManifestFile.Header(fileId, number);
        byte[] record = ManifestFile.Record(fileId, 0, whole);
        Close();
        _fileSystem.DeleteFile(path);
        IStorageFile file = _fileSystem.Open(path, FileOpenMode.CreateNew);
        try
        {
            file.Write(0, header);
            file.Write(header.Length, record);
            file.Sync();
            _fileSystem.SyncDirectory(_directory);
            CurrentFile.Write(_fileSystem, _directory, DatabaseFiles.Manifest(number));
        }
        catch
        {
            file.Dispose();
            throw;
        }

        ulong previous = _number;
        _file = file;
        _fileId = fileId;
        _number = number;
        _sequence = 1;
        _length = header.Length + record.Length;
        Take(edit);
        if (previous != 0)
            TryDelete(DatabaseFiles.Combine(_directory, DatabaseFiles.Manifest(previous)));
    }

    private void TryDelete(string path)
    {
        try
        {
            _fileSystem.DeleteFile(path);
        }
        catch (IOException)
        {
            // The edit is in force, so it must not be reported as failed; the next start removes the file.
        }
    }

    private void Take(VersionEdit edit)
    {
        if (!State.TryApply(edit))
            throw Contradiction();
    }

    private void Close()
    {
        _file?.Dispose();
        _file = null;
    }

    private static AiDbException Contradiction() =>
        new(AiDbErrorKind.Internal, "A manifest edit contradicts the manifest.");

    /// <summary>A random 128-bit id.</summary>
    public static UInt128 RandomId(Random? random)
    {
        Span<byte> bytes = stackalloc byte[16];
        if (random is null)
        {
            System.Security.Cryptography.RandomNumberGenerator.Fill(bytes);
        }
        else
        {
            lock (random)
                random.NextBytes(bytes);
        }

        return BinaryPrimitives.ReadUInt128LittleEndian(bytes);
    }
}
