using AiDb.Cluster.Caching;
using AiDb.Contracts.Internal.V1;
using Google.Protobuf;

namespace AiDb.Replica.Caching;

/// <summary>Hot keys as messages carry them: each of one table, of a bounded size, in the order of the keys.</summary>
internal static class HotKeyFrames
{
    private const int KeysPerFrame = 256;
    private const int BytesPerFrame = 256 << 10;

    /// <summary>Puts keys into frames.</summary>
    public static IEnumerable<HotKeysFrame> Of(IEnumerable<HotKey> keys)
    {
        HotKeysFrame? frame = null;
        int bytes = 0;
        foreach (HotKey key in keys)
        {
            if (frame is not null && (frame.TableId != key.TableId || frame.Keys.Count == KeysPerFrame || bytes + key.Key.Length > BytesPerFrame))
            {
                yield return frame;
                frame = null;
            }

            if (frame is null)
            {
                frame = new HotKeysFrame { TableId = key.TableId };
                bytes = 0;
            }

            frame.Keys.Add(ByteString.CopyFrom(key.Key.Span));
            bytes += key.Key.Length;
        }

        if (frame is not null)
            yield return frame;
    }
}
