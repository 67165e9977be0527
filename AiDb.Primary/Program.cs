using AiDb;
using AiDb.Primary.Hosting;

// What the user can mend is one clear line and an exit code: 2 settings, 3 data, 4 listeners.
try
{
    await using WebApplication app = PrimaryServer.Build(args);
    await app.RunAsync();
    return Environment.ExitCode;
}
catch (InvalidOperationException exception)
{
    Console.Error.WriteLine("aidb primary: " + exception.Message);
    return 2;
}
catch (AiDbException exception)
{
    Console.Error.WriteLine("aidb primary: " + exception.Message);
    return 3;
}
catch (IOException exception)
{
    Console.Error.WriteLine("aidb primary: " + exception.Message);
    return 4;
}
