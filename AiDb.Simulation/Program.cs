using System.CommandLine;
using AiDb.Simulation;
using AiDb.Simulation.Fleet;

var seeds = new Option<int>("--seeds") { Description = "How many seeds to run.", DefaultValueFactory = _ => 100 };
var first = new Option<int>("--first-seed") { Description = "The first of them.", DefaultValueFactory = _ => 1 };
var operations = new Option<int>("--operations") { Description = "Client operations of each seed.", DefaultValueFactory = _ => 2000 };
var hostile = new Option<bool>("--hostile") { Description = "Changes primaries so fast that entries are caught half way." };
var trace = new Option<bool>("--trace") { Description = "Prints what happens; for one seed." };
var mutations = new Option<bool>("--mutations")
{
    Description = "Breaks each rule of the protocol and shows the seed that notices; fails where none of --seeds does.",
};
var fleet = new Option<bool>("--fleet")
{
    Description = "Simulates one cluster of many shards, a part of whose nodes fails at once, instead of seeds.",
};
var nodes = new Option<int>("--nodes") { Description = "Nodes of the fleet.", DefaultValueFactory = _ => new FleetOptions().Nodes };
var zones = new Option<int>("--zones") { Description = "Zones of the fleet.", DefaultValueFactory = _ => new FleetOptions().Zones };
var shards = new Option<int>("--shards") { Description = "Shards of the fleet.", DefaultValueFactory = _ => new FleetOptions().Shards };
var failing = new Option<int>("--failing")
{
    Description = "Nodes of the fleet that fail, zone by zone.",
    DefaultValueFactory = _ => new FleetOptions().Failing,
};
var command = new RootCommand(
    "Simulates groups of voters with faults of network, disks, clocks and processes, and checks the protocol's invariants after every "
    + "step and the clients' histories for linearizability. The same seed is the same run.")
{
    seeds, first, operations, hostile, trace, mutations, fleet, nodes, zones, shards, failing,
};
command.SetAction((parsed, cancellationToken) => Task.FromResult(parsed.GetValue(fleet)
    ? SimulationCommand.RunFleet(
        new FleetOptions
        {
            Seed = parsed.GetValue(first),
            Nodes = parsed.GetValue(nodes),
            Zones = parsed.GetValue(zones),
            Shards = parsed.GetValue(shards),
            Failing = parsed.GetValue(failing),
        },
        Console.Out,
        cancellationToken)
    : SimulationCommand.Run(
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
