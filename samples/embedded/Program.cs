// A tour of the embedded engine: a database in a folder, no server.
using System.Text;
using AiDb;
using AiDb.Engine;
using AiDb.Engine.Collections;

string folder = args.Length > 0 ? args[0] : Path.Combine(Path.GetTempPath(), "aidb-embedded-sample");
string copy = folder + "-copy";
if (Directory.Exists(folder))
    Directory.Delete(folder, recursive: true);
if (Directory.Exists(copy))
    Directory.Delete(copy, recursive: true);

static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);

using (Database database = Database.Open(folder))
{
    // Tables: ordered maps of bytes to bytes.
    Table users = database.GetOrCreateTable("users");
    Table cities = database.GetOrCreateTable("cities");
    WriteResult written = users.Put(Bytes("ada"), Bytes("Ada Lovelace"));
    Console.WriteLine($"ada = {Text(users.Get(Bytes("ada")))}, version {written.Version}");

    // A value can be read in place, without a copy.
    if (users.TryGet(Bytes("ada"), out ValueLease lease))
    {
        using (lease)
            Console.WriteLine($"in place: {lease.Span.Length} bytes");
    }

    // Batches: all of it or none of it, over any tables of the database.
    WriteBatch batch = new();
    batch.Put(users, Bytes("grace"), Bytes("Grace Hopper"));
    batch.Put(users, Bytes("edsger"), Bytes("Edsger Dijkstra"));
    batch.Put(cities, Bytes("london"), Bytes("51.51,-0.13"));
    database.Write(batch);

    // Conditions: nobody changed the key since it was read.
    batch.Clear();
    batch.Put(users, Bytes("ada"), Bytes("Augusta Ada King"), condition: WriteCondition.VersionIs(written.Version));
    Console.WriteLine($"first conditional write applied: {database.TryWrite(batch).Applied}");
    WriteResult second = database.TryWrite(batch);
    Console.WriteLine($"the same again: {second.Applied}, the key has version {second.CurrentVersion} now");
    try
    {
        database.Write(batch);
    }
    catch (AiDbException exception) when (exception.Kind == AiDbErrorKind.PreconditionFailed)
    {
        Console.WriteLine($"or as an exception: {exception.Kind}");
    }

    // Collections: points with vectors and payloads, in one batch with keys.
    await database.Collections.CreateAsync("people", new CollectionOptions
    {
        Vectors = new Dictionary<string, VectorOptions>
        {
            [NamedVectors.Unnamed] = new() { Dimensions = 3, Metric = VectorMetric.Cosine },
        },
    });
    Collection people = database.Collections.Open("people");
    batch.Clear();
    batch.Put(cities, Bytes("new york"), Bytes("40.71,-74.01"));
    batch.Upsert(people, new Point
    {
        Id = new PointId(1),
        Vectors = NamedVectors.Of(1, 0, 0),
        Payload = Payload.Parse("""{"name":"Ada","born":1815}"""u8),
    });
    batch.Upsert(people, new Point
    {
        Id = new PointId(2),
        Vectors = NamedVectors.Of(0, 1, 0),
        Payload = Payload.Parse("""{"name":"Grace","born":1906}"""u8),
    });
    database.Write(batch);
    IReadOnlyList<ScoredPoint> nearest = await database.Collections.QueryAsync("people", new QueryRequest
    {
        Query = new NearestQuery(new VectorValueInput(new DenseVector(new float[] { 0.9f, 0.8f, 0 }))),
        Filter = new Filter { Must = [new RangeCondition("born", Gte: 1900)] },
        WithPayload = PayloadSelector.All,
        Limit = 1,
    });
    Console.WriteLine($"nearest born since 1900: {nearest[0].Payload}, score {nearest[0].Score:F3}");

    // Snapshots: the state of one moment, however much is written meanwhile.
    using (Snapshot snapshot = database.CreateSnapshot())
    {
        users.Delete(Bytes("edsger"));
        Console.WriteLine(
            $"edsger: {(users.Get(Bytes("edsger")) is null ? "gone" : "there")} now, "
            + $"{(users.Get(Bytes("edsger"), snapshot) is null ? "gone" : "there")} in the snapshot");
    }

    // Scans: keys in order, forwards or backwards, whole or by prefix.
    using (ScanCursor cursor = users.Scan(ScanRange.All))
    {
        while (cursor.MoveNext())
            Console.WriteLine($"  {Text(cursor.Key)} = {Text(cursor.Value)}");
    }

    // Time to live: the key is absent from then on.
    users.Put(Bytes("guest"), Bytes("for a moment"), TimeSpan.FromMilliseconds(20));
    while (users.Get(Bytes("guest")) is not null)
        await Task.Delay(5);
    Console.WriteLine("guest has expired");

    // Checkpoints: an openable copy, made of hard links, while writes go on.
    await database.CheckpointAsync(copy);
}

// What was acknowledged is on the disk, in the copy as in the original.
using (Database database = Database.Open(copy))
    Console.WriteLine($"in the copy: ada = {Text(database.GetOrCreateTable("users").Get(Bytes("ada")))}");
