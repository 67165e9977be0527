namespace AiDb.Engine.Collections.Exchange;

/// <summary>The layout of an exported collection; see docs/formats/collection-export.md.</summary>
internal static class ExportFormat
{
    /// <summary>The version that is written.</summary>
    public const uint Version = 1;

    /// <summary>Magic, version, length of the settings, checksum.</summary>
    public const int HeaderBytes = 20;

    /// <summary>Length and checksum of a block.</summary>
    public const int BlockHeadBytes = 8;

    /// <summary>What follows the empty block: points, blocks, checksum.</summary>
    public const int FooterBytes = 20;

    /// <summary>A block is ended when it has so many bytes.</summary>
    public const int BlockBytes = 1 << 20;

    /// <summary>Bytes of a block at most: one point of the greatest batch.</summary>
    public const int MaxBlockBytes = DatabaseOptions.MaxBatchBytes + (32 << 20);

    /// <summary>Bytes of the settings at most.</summary>
    public const int MaxSettingsBytes = 64 << 20;

    /// <summary>The first bytes.</summary>
    public static ReadOnlySpan<byte> Magic => "AIDBCOLL"u8;

    /// <summary>The error about an export that is not whole.</summary>
    public static AiDbException Damaged(string what) => new(
        AiDbErrorKind.DataLoss, $"The exported collection is damaged: {what}. Nothing of it is in use; take another copy.");
}
