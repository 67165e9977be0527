using AiDb.Cli;

return await AidbCommand.RunAsync(args, CliConsole.Process()).ConfigureAwait(false);
