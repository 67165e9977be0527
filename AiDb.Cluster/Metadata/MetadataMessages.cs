using AiDb.Contracts.Internal.V1;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Wire = AiDb.Contracts.Internal.V1;

namespace AiDb.Cluster.Metadata;

/// <summary>The store's types as messages, and back.</summary>
internal static class MetadataMessages
{
    public static MetadataRangeResponse ToMessage(MetadataRange range) =>
        new() { Revision = range.Revision, Items = { range.Items.Select(ToMessage) } };

    public static MetadataRange FromMessage(MetadataRangeResponse message) =>
        new(message.Revision, [.. message.Items.Select(FromMessage)]);

    public static MetadataTxnRequest ToMessage(MetadataTransaction transaction) => new()
    {
        Compares = { transaction.Compares.Select(ToMessage) },
        Then = { transaction.Then.Select(ToMessage) },
        Otherwise = { transaction.Otherwise.Select(ToMessage) },
    };

    public static MetadataTransaction FromMessage(MetadataTxnRequest message) => new()
    {
        Compares = [.. message.Compares.Select(FromMessage)],
        Then = FromMessages(message.Then),
        Otherwise = FromMessages(message.Otherwise),
    };

    public static MetadataTxnResponse ToMessage(MetadataTransactionResult result) => new()
    {
        Succeeded = result.Succeeded,
        Revision = result.Revision,
        Ranges = { result.Ranges.Select(ToMessage) },
    };

    public static MetadataTransactionResult FromMessage(MetadataTxnResponse message) =>
        new(message.Succeeded, message.Revision, [.. message.Ranges.Select(FromMessage)]);

    public static MetadataWatchResponse ToMessage(MetadataChange change)
    {
        MetadataWatchResponse message = new() { Revision = change.Revision };
        foreach (MetadataEvent item in change.Events)
        {
            message.Events.Add(new Wire.MetadataEvent
            {
                Deleted = item.Current is null,
                Item = item.Current is { } current
                    ? ToMessage(current)
                    : new Wire.MetadataKeyValue { Key = item.Key, ModRevision = change.Revision },
            });
        }

        return message;
    }

    public static MetadataChange FromMessage(MetadataWatchResponse message) => new(
        message.Revision,
        [.. message.Events.Select(item => new MetadataEvent(item.Item.Key, item.Deleted ? null : FromMessage(item.Item)))]);

    private static Wire.MetadataKeyValue ToMessage(MetadataKeyValue item) => new()
    {
        Key = item.Key,
        // A stored value never changes.
        Value = UnsafeByteOperations.UnsafeWrap(item.Value),
        CreateRevision = item.CreateRevision,
        ModRevision = item.ModRevision,
        Version = item.Version,
        LeaseId = item.LeaseId,
    };

    private static MetadataKeyValue FromMessage(Wire.MetadataKeyValue message) => new(
        message.Key, message.Value.Memory, message.CreateRevision, message.ModRevision, message.Version, message.LeaseId);

    private static Wire.MetadataCompare ToMessage(MetadataCompare compare) => new()
    {
        Target = (Wire.MetadataCompare.Types.Target)compare.Target,
        Key = compare.Key,
        Revision = compare.Revision,
        Value = UnsafeByteOperations.UnsafeWrap(compare.Value),
    };

    private static MetadataCompare FromMessage(Wire.MetadataCompare message)
    {
        MetadataCompareTarget target = (MetadataCompareTarget)message.Target;
        if (!Enum.IsDefined(target))
            throw Invalid($"target {(int)message.Target} of a metadata compare is unknown");
        return new MetadataCompare(target, message.Key, message.Revision, message.Value.Memory);
    }

    private static Wire.MetadataOperation ToMessage(MetadataOperation operation) => new()
    {
        Kind = (Wire.MetadataOperation.Types.Kind)operation.Kind,
        Key = operation.Key,
        Value = UnsafeByteOperations.UnsafeWrap(operation.Value),
        LeaseId = operation.LeaseId,
        Prefix = operation.IsPrefix,
    };

    private static MetadataOperation[] FromMessages(RepeatedField<Wire.MetadataOperation> messages) =>
        [.. messages.Select(FromMessage)];

    private static MetadataOperation FromMessage(Wire.MetadataOperation message)
    {
        MetadataOperationKind kind = (MetadataOperationKind)message.Kind;
        if (!Enum.IsDefined(kind))
            throw Invalid($"kind {(int)message.Kind} of a metadata operation is unknown");
        if (kind == MetadataOperationKind.Put && message.Prefix)
            throw Invalid("a metadata put has no prefix");
        return new MetadataOperation(kind, message.Key, message.Value.Memory, message.LeaseId, message.Prefix);
    }

    private static AiDbException Invalid(string message) => new(AiDbErrorKind.InvalidArgument, "Invalid request: " + message + ".");
}
