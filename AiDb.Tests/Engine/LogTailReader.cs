using AiDb.Engine;
using AiDb.Engine.Log;

namespace AiDb.Tests.Engine;

/// <summary>Reads the keys that a database's log tail brings.</summary>
internal sealed class LogTailReader(Database database, ulong from) : IDisposable
{
    private readonly LogTail _tail = database.TailLog(from);

    public List<string> Read()
    {
        List<string> keys = [];
        while (_tail.TryRead(out LogEntry entry))
        {
            var operations = new LogOperationReader(entry.Payload.Span);
            while (operations.MoveNext())
                keys.Add(System.Text.Encoding.UTF8.GetString(operations.Key));
        }

        return keys;
    }

    public void Dispose() => _tail.Dispose();
}
