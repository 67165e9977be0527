using System.CommandLine;
using AiDb.Simulation;

var seeds = new Option<int>("--seeds") { Description = "How many seeds to run.", DefaultValueFactory = _ => 100 };
var first = new Option<int>("--first-seed") { Description = "The first of them.", DefaultValueFactory = _ => 1 };
var operations = new Option<int>("--operations") { Description = "Client operations of each seed.", DefaultValueFactory = _ => 2000 };
var hostile = new Option<bool>("--hostile") { Description = "Changes primaries so fast that entries are caught half way." };
var trace = new Option<bool>("--trace") { Description = "Prints what happens; for one seed." };
var mutations = new Option<bool>("--mutations")
{
    Description = "Breaks each rule of the protocol and shows the seed that notices; fails where none of --seeds does.",
};
var command = new RootCommand(
    "Simulates groups of voters with faults of network, disks, clocks and processes, and checks the protocol's invariants after every "
    + "step and the clients' histories for linearizability. The same seed is the same run.")
{
    seeds, first, operations, hostile, trace, mutations,
};
command.SetAction((parsed, cancellationToken) => Task.FromResult(SimulationCommand.Run(
    new SimulationSettings
    {
        Seeds = parsed.GetValue(seeds),
        FirstSeed = parsed.GetValue(first),
        Operations = parsed.GetValue(operations),
        Hostile = parsed.GetValue(hostile),
        Trace = parsed.GetValue(trace),
        Mutations = parsed.GetValue(mutations),
    },
    Console.Out,
    cancellationToken)));
return await command.Parse(args).InvokeAsync();
