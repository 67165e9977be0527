using AiDb.Replica.Hosting;

WebApplication app;
try
{
    app = ReplicaServer.Build(args);
}
catch (InvalidOperationException exception)
{
    Console.Error.WriteLine("aidb replica: " + exception.Message);
    return 2;
}

await app.RunAsync();
return Environment.ExitCode;
