using AiDb.Tests.Backup.Support;

[assembly: AssemblyFixture(typeof(Radosgw))]
[assembly: AssemblyFixture(typeof(Azurite))]
