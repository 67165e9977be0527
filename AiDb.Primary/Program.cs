using AiDb.Primary.Hosting;

WebApplication app;
try
{
    app = PrimaryServer.Build(args);
}
catch (InvalidOperationException exception)
{
    Console.Error.WriteLine("aidb primary: " + exception.Message);
    return 2;
}

await app.RunAsync();
return Environment.ExitCode;
