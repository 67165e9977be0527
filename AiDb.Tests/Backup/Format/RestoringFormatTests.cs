using AiDb.Backup.Format;
using AiDb.Backup.Restoring.Lazy;
using AiDb.Engine.Images;

namespace AiDb.Tests.Backup.Format;

/// <summary>The bytes of docs/formats/restoring.md and of the pin in docs/formats/archive.md.</summary>
public sealed class RestoringFormatTests
{
    private const string MarkerHex =
        "4169446252657374010000000200000005000000000000000300000000000000"
        + "09000000000000000000000000000000090000002f61726368697665730000000000000000"
        + "010000000104000000000000000b0000000000000000000000000000000010000000000000"
        + "ef00000000000000";

    private const string PinHex =
        "41694462417263500100000002000000090000000000000000000000000000000500000000000000"
        + "0300000000000000";

    private static readonly RestoreMarker Marker = new(
        2, new RestoreSource("/archives", null, null), new ManifestId(5, 3), 9,
        [new ArchivedFile(4, new ImageFile(ImageFileKind.Table, 11, 4096, 0xef))]);

    [Fact]
    public void The_marker_has_the_documented_bytes_and_is_read_back()
    {
        byte[] bytes = Marker.Encode();
        Assert.Equal(MarkerHex, Convert.ToHexStringLower(bytes[..^8]));
        RestoreMarker read = RestoreMarker.Decode(bytes, "RESTORING");
        Assert.Equal(Marker with { Files = read.Files }, read);
        Assert.Equal(Marker.Files, read.Files);
    }

    [Fact]
    public void The_pin_has_the_documented_bytes_and_is_read_back()
    {
        var pin = new ArchivePin(2, 9, new ManifestId(5, 3));
        byte[] bytes = PinCodec.Encode(pin);
        Assert.Equal(PinHex, Convert.ToHexStringLower(bytes[..^8]));
        Assert.Equal(PinCodec.Bytes, bytes.Length);
        Assert.Equal(pin, PinCodec.Decode(bytes, "pin"));
        string name = ArchiveNames.Pin(2, 9, 16);
        Assert.Equal("pin/00002/00000000000000000000000000000009-0000000000000010", name);
        Assert.True(ArchiveNames.TryParsePin(name, 2, out UInt128 id, out ulong number));
        Assert.Equal(((UInt128)9, 16UL), (id, number));
        Assert.False(ArchiveNames.TryParsePin(name, 3, out _, out _));
        Assert.False(ArchiveNames.TryParsePin(name + "0", 2, out _, out _));
    }

    [Fact]
    public void Any_changed_byte_and_any_missing_end_of_either_is_refused()
    {
        byte[] marker = Marker.Encode();
        byte[] pin = PinCodec.Encode(new ArchivePin(2, 9, new ManifestId(5, 3)));
        for (int at = 0; at < marker.Length; at++)
        {
            Refused(() => RestoreMarker.Decode(Flip(marker, at), "RESTORING"));
            Refused(() => RestoreMarker.Decode(marker.AsSpan(0, at), "RESTORING"));
        }

        for (int at = 0; at < pin.Length; at++)
        {
            Refused(() => PinCodec.Decode(Flip(pin, at), "pin"));
            Refused(() => PinCodec.Decode(pin.AsSpan(0, at), "pin"));
        }
    }

    private static byte[] Flip(byte[] bytes, int at)
    {
        byte[] flipped = [.. bytes];
        flipped[at] ^= 0x40;
        return flipped;
    }

    private static void Refused(Action decode) => Assert.Equal(AiDbErrorKind.DataLoss, Assert.Throws<AiDbException>(decode).Kind);
}
