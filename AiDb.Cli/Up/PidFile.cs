using System.Text.Json;
using System.Text.Json.Serialization;

namespace AiDb.Cli.Up;

/// <summary>One process of a running cluster.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Role"><c>gateway</c>, <c>primary</c> or <c>replica</c>.</param>
/// <param name="Pid">Its process id; 0 while it is down.</param>
/// <param name="Address">Its gRPC address.</param>
/// <param name="Starts">How often it was started.</param>
internal sealed record RunningProcess(string Name, string Role, int Pid, string Address, int Starts);

/// <summary>What <c>pids.json</c> in the data folder says about a running cluster.</summary>
/// <param name="Aidb">The process id of <c>aidb up</c>.</param>
/// <param name="Rest">The gateway's REST address.</param>
/// <param name="Grpc">The gateway's gRPC address.</param>
/// <param name="Ready">Whether all nodes are registered and all slots are served.</param>
/// <param name="Processes">The processes.</param>
internal sealed record PidFile(int Aidb, string Rest, string Grpc, bool Ready, IReadOnlyList<RunningProcess> Processes)
{
    public const string FileName = "pids.json";

    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
    };

    /// <summary>Reads the file of a data folder; null when there is none.</summary>
    public static PidFile? TryRead(string dataDirectory)
    {
        try
        {
            return JsonSerializer.Deserialize<PidFile>(File.ReadAllBytes(Path.Combine(dataDirectory, FileName)), Options);
        }
        catch (Exception exception) when (exception is IOException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Writes it in one step, so that readers never see half of it.</summary>
    public void Write(string dataDirectory)
    {
        string path = Path.Combine(dataDirectory, FileName);
        File.WriteAllBytes(path + ".tmp", JsonSerializer.SerializeToUtf8Bytes(this, Options));
        File.Move(path + ".tmp", path, overwrite: true);
    }

    public static void Delete(string dataDirectory) => File.Delete(Path.Combine(dataDirectory, FileName));
}
