using AiDb.Contracts.V1;
using AiDb.Tests.Interop.Wire;
using AiDb.Tests.TestSupport;
using Google.Protobuf.Reflection;

namespace AiDb.Tests.Interop;

/// <summary>A package of .proto files in the two forms that peers read.</summary>
/// <param name="Paths">Where the files lie, with commas between.</param>
/// <param name="Descriptors">The files' descriptors in base64, with commas between.</param>
internal sealed record PeerWire(string Paths, string Descriptors)
{
    public static PeerWire Interop { get; } =
        Of("AiDb.Tests/Interop/Protos", ("grpc/testing/test.proto", TestReflection.Descriptor));

    public static PeerWire AiDbV1 { get; } = Of(
        "AiDb.Contracts/Protos",
        ("aidb/v1/key_value.proto", KeyValueReflection.Descriptor),
        ("aidb/v1/admin.proto", AdminReflection.Descriptor));

    private static PeerWire Of(string folder, params (string Path, FileDescriptor Descriptor)[] files) => new(
        string.Join(',', files.Select(file => Repository.PathOf($"{folder}/{file.Path}"))),
        string.Join(',', files.Select(file => file.Descriptor.SerializedData.ToBase64())));
}
