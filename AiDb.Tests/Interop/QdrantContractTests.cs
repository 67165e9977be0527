using AiDb.Contracts.QdrantApi;
using AiDb.Tests.TestSupport;
using Google.Protobuf.Reflection;

namespace AiDb.Tests.Interop;

/// <summary>The wire contract that is written down here, beside the one that Qdrant's own client carries.</summary>
public sealed class QdrantContractTests
{
    // Numbers from here on are AiDb's own.
    private const int FirstOwnNumber = 1001;

    [Fact]
    public async Task Every_name_and_number_is_that_of_Qdrants_own_client()
    {
        string node = Peers.Require("node");
        Peers.RequireThat(
            Directory.Exists(Repository.PathOf("AiDb.Tests/Interop/qdrant-grpc/node_modules")),
            "The packages of AiDb.Tests/Interop/qdrant-grpc are not installed: run 'npm ci' there.");
        (int exitCode, string output, string errors) = await PeerProcess.RunAsync(
            node, [Repository.PathOf("AiDb.Tests/Interop/qdrant-grpc/contract.js")], "",
            TestContext.Current.CancellationToken);
        Assert.True(exitCode == 0, errors);
        HashSet<string> theirs = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries)];
        HashSet<string> ours = [.. Lines().Where(line => !line.IsOwn).Select(line => line.Text)];

        Assert.True(theirs.Count > 1000, output);
        Assert.Empty(theirs.Except(ours, StringComparer.Ordinal));
        Assert.Empty(ours.Except(theirs, StringComparer.Ordinal));
    }

    private static IEnumerable<(string Text, bool IsOwn)> Lines()
    {
        FileDescriptor[] files =
        [
            JsonReflection.Descriptor, FilterReflection.Descriptor, ShardingReflection.Descriptor,
            SettingsReflection.Descriptor, CollectionsReflection.Descriptor, PointReflection.Descriptor,
            WriteReflection.Descriptor, SearchReflection.Descriptor, QueryReflection.Descriptor,
            PointsReflection.Descriptor, SnapshotsReflection.Descriptor, QdrantReflection.Descriptor,
        ];
        return files.SelectMany(file => file.MessageTypes.SelectMany(Of)
            .Concat(file.EnumTypes.SelectMany(Of))
            .Concat(file.Services.SelectMany(Of)));
    }

    private static IEnumerable<(string Text, bool IsOwn)> Of(MessageDescriptor message)
    {
        FieldDescriptorProto[] fields = [.. message.ToProto().Field];
        bool isOwn = string.Equals(message.Name, "TextInput", StringComparison.Ordinal);
        return fields
            .Select(field => (
                $"{message.FullName}.{field.Name} = {field.Number} {(int)field.Type} {(int)field.Label} {field.TypeName}",
                isOwn || field.Number >= FirstOwnNumber))
            .Concat(message.NestedTypes.SelectMany(Of))
            .Concat(message.EnumTypes.SelectMany(Of));
    }

    private static IEnumerable<(string Text, bool IsOwn)> Of(EnumDescriptor enumeration) =>
        enumeration.Values.Select(value => ($"{enumeration.FullName}.{value.Name} = {value.Number}", false));

    private static IEnumerable<(string Text, bool IsOwn)> Of(ServiceDescriptor service) => service.Methods.Select(method =>
        ($"{service.FullName}/{method.Name} .{method.InputType.FullName} .{method.OutputType.FullName}", false));
}
