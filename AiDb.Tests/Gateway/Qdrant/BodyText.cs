using System.Text.Json;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Tests.Gateway.Qdrant;

/// <summary>Reads bodies that tests write as text.</summary>
internal static class BodyText
{
    /// <summary>What is read of a body.</summary>
    public static T Read<T>(string json, Func<JsonField, T> read)
    {
        using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 96 });
        return read(JsonField.Root(document.RootElement));
    }

    /// <summary>The message with which a body is refused.</summary>
    public static string ErrorOf<T>(string json, Func<JsonField, T> read)
    {
        AiDbException error = Assert.Throws<AiDbException>(() => Read(json, read));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
        return error.Message;
    }
}
