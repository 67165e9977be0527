using AiDb.AppHost;

var builder = DistributedApplication.CreateBuilder(args);

// Where `aspire publish` and `azd up` put it. A local run needs neither Azure nor Docker.
if (builder.ExecutionContext.IsPublishMode)
{
    builder.AddAzureContainerAppEnvironment("azure");
}

builder.AddAiDb("db").WithShards(2, replicas: 2);

builder.Build().Run();
