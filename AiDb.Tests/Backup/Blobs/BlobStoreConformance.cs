using System.Security.Cryptography;
using AiDb.Backup.Blobs;

namespace AiDb.Tests.Backup.Blobs;

/// <summary>What every store promises; run against the real things.</summary>
public abstract class BlobStoreConformance
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    protected abstract Task<IBlobStore> NewStoreAsync();

    [Fact]
    public async Task What_was_put_is_read_whole_and_in_ranges()
    {
        await using IBlobStore store = await NewStoreAsync();
        byte[] content = RandomNumberGenerator.GetBytes(300_000);
        await store.PutAsync("data/00001/a.table", new MemoryStream(content), content.Length, Token);

        Assert.Equal(content, await store.ReadAllAsync("data/00001/a.table", 1 << 20, Token));
        byte[] range = new byte[1000];
        await store.ReadExactlyAsync("data/00001/a.table", 123_456, range, Token);
        Assert.Equal(content[123_456..124_456], range);
        await using Stream tail = await store.OpenReadAsync("data/00001/a.table", 299_990, 100, Token);
        Assert.Equal(content[299_990..], await ReadAsync(tail));
        await using Stream beyond = await store.OpenReadAsync("data/00001/a.table", 300_000, 10, Token);
        Assert.Empty(await ReadAsync(beyond));
    }

    [Fact]
    public async Task An_object_beyond_one_part_comes_back_as_it_was()
    {
        await using IBlobStore store = await NewStoreAsync();
        byte[] content = RandomNumberGenerator.GetBytes(S3BlobStore.PartBytes + 12_345);
        await store.PutAsync("data/big", new MemoryStream(content), content.Length, Token);

        Assert.Equal(SHA256.HashData(content), SHA256.HashData(await store.ReadAllAsync("data/big", 1 << 30, Token)));
    }

    [Fact]
    public async Task Of_many_who_create_one_name_exactly_one_wins_and_its_content_stays()
    {
        await using IBlobStore store = await NewStoreAsync();
        for (int round = 0; round < 3; round++)
        {
            string name = $"manifest/00001/{round}";
            byte[][] contents = [.. Enumerable.Range(0, 12).Select(static _ => RandomNumberGenerator.GetBytes(2000))];
            bool[] won = await Task.WhenAll(contents.Select(content => store.TryCreateAsync(name, content, Token)));

            Assert.Equal(1, won.Count(static winner => winner));
            Assert.Equal(contents[Array.IndexOf(won, true)], await store.ReadAllAsync(name, 1 << 20, Token));
            Assert.False(await store.TryCreateAsync(name, contents[0], Token));
        }
    }

    [Fact]
    public async Task A_put_replaces_what_was_there()
    {
        await using IBlobStore store = await NewStoreAsync();
        await store.PutAsync("a", new MemoryStream([1, 2, 3]), 3, Token);
        await store.PutAsync("a", new MemoryStream([4]), 1, Token);

        Assert.Equal([4], await store.ReadAllAsync("a", 10, Token));
    }

    [Fact]
    public async Task Empty_objects_are_objects()
    {
        await using IBlobStore store = await NewStoreAsync();
        Assert.True(await store.TryCreateAsync("empty", ReadOnlyMemory<byte>.Empty, Token));
        Assert.False(await store.TryCreateAsync("empty", new byte[] { 1 }, Token));

        Assert.Empty(await store.ReadAllAsync("empty", 10, Token));
    }

    [Fact]
    public async Task A_listing_shows_whole_names_in_order_below_its_prefix_and_after_its_start()
    {
        await using IBlobStore store = await NewStoreAsync();
        string[] names = ["wal/1/a", "wal/1/b", "wal/10/c", "wal/2/d", "walx", "manifest/1"];
        foreach (string name in names)
            await store.TryCreateAsync(name, new byte[] { 7 }, Token);

        Assert.Equal(["wal/1/a", "wal/1/b"], await store.ListNamesAsync("wal/1/", Token));
        Assert.Equal(names.Order(StringComparer.Ordinal), await store.ListNamesAsync("", Token));
        List<BlobInfo> later = [];
        await foreach (BlobInfo blob in store.ListAsync("wal/", "wal/1/b", Token))
            later.Add(blob);
        Assert.Equal(["wal/10/c", "wal/2/d"], later.Select(static blob => blob.Name));
        Assert.All(later, static blob => Assert.Equal(1, blob.SizeBytes));
        Assert.All(later, static blob => Assert.InRange(
            blob.LastModified, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddMinutes(5)));
        Assert.Empty(await store.ListNamesAsync("nothing/", Token));
    }

    [Fact]
    public async Task A_listing_goes_on_beyond_a_page_of_the_store()
    {
        await using IBlobStore store = await NewStoreAsync();
        await Parallel.ForAsync(
            0, 1050, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Token },
            async (number, token) => await store.TryCreateAsync($"many/{number:d5}", new byte[] { 1 }, token));

        List<string> names = await store.ListNamesAsync("many/", Token);
        Assert.Equal(Enumerable.Range(0, 1050).Select(static number => $"many/{number:d5}"), names);
    }

    [Fact]
    public async Task What_was_deleted_is_gone_and_may_be_deleted_again()
    {
        await using IBlobStore store = await NewStoreAsync();
        await store.TryCreateAsync("a/b", new byte[] { 1 }, Token);
        await store.DeleteAsync("a/b", Token);
        await store.DeleteAsync("a/b", Token);

        Assert.Empty(await store.ListNamesAsync("a/", Token));
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(() => store.ReadAllAsync("a/b", 10, Token));
        Assert.Equal(AiDbErrorKind.NotFound, error.Kind);
        Assert.Contains("a/b", error.Message, StringComparison.Ordinal);
        Assert.True(await store.TryCreateAsync("a/b", new byte[] { 2 }, Token));
    }

    [Fact]
    public async Task A_stream_that_ends_early_leaves_no_object()
    {
        await using IBlobStore store = await NewStoreAsync();
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(
            () => store.PutAsync("short", new MemoryStream(new byte[10]), 20, Token));

        Assert.Equal(AiDbErrorKind.DataLoss, error.Kind);
        Assert.Empty(await store.ListNamesAsync("", Token));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData("../a")]
    [InlineData("a/../b")]
    [InlineData("a/.hidden")]
    [InlineData("A")]
    [InlineData("a b")]
    public async Task Names_that_a_store_could_read_otherwise_are_refused(string name)
    {
        await using IBlobStore store = await NewStoreAsync();
        AiDbException error = await Assert.ThrowsAsync<AiDbException>(
            () => store.TryCreateAsync(name, new byte[] { 1 }, Token));
        Assert.Equal(AiDbErrorKind.InvalidArgument, error.Kind);
    }

    protected static async Task<byte[]> ReadAsync(Stream stream)
    {
        using var buffer = new MemoryStream();
        await stream.CopyToAsync(buffer, Token);
        return buffer.ToArray();
    }
}
