using System.Reflection;
using System.Text.RegularExpressions;

namespace AiDb.Tests.Conventions;

public sealed partial class TestNameTests
{
    [Fact]
    public void Every_test_is_named_by_a_sentence()
    {
        var names = from type in typeof(TestNameTests).Assembly.GetTypes()
                    from method in type.GetMethods()
                    where method.GetCustomAttributes<FactAttribute>(inherit: true).Any()
                    where !Sentence().IsMatch(method.Name)
                    select $"{type.Name}.{method.Name}";

        Assert.Empty(names);
    }

    // A capital, then at least two more words.
    [GeneratedRegex("^[A-Z][A-Za-z0-9]*(_[A-Za-z0-9]+){2,}$")]
    private static partial Regex Sentence();
}
