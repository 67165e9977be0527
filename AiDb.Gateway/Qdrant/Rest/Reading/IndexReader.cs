using AiDb.Engine.Collections;
using AiDb.Gateway.Qdrant.Rest.Json;

namespace AiDb.Gateway.Qdrant.Rest.Reading;

/// <summary>Reads indexes over payload fields, and changes of aliases.</summary>
internal static class IndexReader
{
    /// <summary>Reads the body of an index: the field's path, and the kind by name or with
    /// parameters.</summary>
    public static (string Path, PayloadIndexOptions Options) Read(JsonField body)
    {
        string path = body.Require("field_name").AsString();
        JsonField schema = body.Get("field_schema") ?? body.Require("field_type");
        return (path, schema.IsObject ? ReadParameters(schema) : new PayloadIndexOptions { Kind = ReadKind(schema) });
    }

    /// <summary>Reads the changes of aliases.</summary>
    public static AliasChange[] ReadAliases(JsonField body) => body.Require("actions").Map(static action =>
    {
        if (action.Get("create_alias") is { } create)
            return new AliasChange(create.Require("alias_name").AsString(), create.Require("collection_name").AsString());
        if (action.Get("delete_alias") is { } delete)
            return new AliasChange(delete.Require("alias_name").AsString(), null);
        if (action.Get("rename_alias") is { } rename)
        {
            return new AliasChange(
                rename.Require("new_alias_name").AsString(), null, rename.Require("old_alias_name").AsString());
        }

        throw action.Invalid("give one of create_alias, delete_alias, rename_alias");
    });

    private static PayloadIndexKind ReadKind(JsonField field) => field.AsChoice(
        ("keyword", PayloadIndexKind.Keyword), ("integer", PayloadIndexKind.Integer), ("float", PayloadIndexKind.Float),
        ("bool", PayloadIndexKind.Bool), ("geo", PayloadIndexKind.Geo), ("datetime", PayloadIndexKind.Datetime),
        ("text", PayloadIndexKind.Text), ("uuid", PayloadIndexKind.Uuid));

    private static PayloadIndexOptions ReadParameters(JsonField field)
    {
        PayloadIndexKind kind = ReadKind(field.Require("type"));
        return new PayloadIndexOptions
        {
            Kind = kind,
            Lookup = field.Get("lookup")?.AsBoolean() ?? true,
            Range = field.Get("range")?.AsBoolean() ?? true,
            IsTenant = field.Get("is_tenant")?.AsBoolean(),
            IsPrincipal = field.Get("is_principal")?.AsBoolean(),
            OnDisk = VectorOptionsReader.ReadOnDisk(field),
            Text = kind == PayloadIndexKind.Text ? ReadText(field) : null,
        };
    }

    private static TextIndexOptions ReadText(JsonField field) => new()
    {
        Tokenizer = field.Get("tokenizer")?.AsChoice(
            ("word", TextTokenizer.Word), ("whitespace", TextTokenizer.Whitespace), ("prefix", TextTokenizer.Prefix),
            ("multilingual", TextTokenizer.Multilingual)) ?? TextTokenizer.Word,
        Lowercase = field.Get("lowercase")?.AsBoolean() ?? true,
        AsciiFolding = field.Get("ascii_folding")?.AsBoolean() ?? false,
        MinTokenLength = field.Get("min_token_len")?.AsInteger(0),
        MaxTokenLength = field.Get("max_token_len")?.AsInteger(0),
        PhraseMatching = field.Get("phrase_matching")?.AsBoolean() ?? false,
        StopwordLanguages = ReadStopwords(field.Get("stopwords"), "languages"),
        Stopwords = ReadStopwords(field.Get("stopwords"), "custom"),
        StemmerLanguage = ReadStemmer(field.Get("stemmer")),
    };

    private static string[] ReadStopwords(JsonField? field, string name)
    {
        if (field is null)
            return [];
        if (!field.IsObject)
            return name == "languages" ? [field.AsString()] : [];
        return field.Get(name) is { } words ? SelectorReader.ReadStrings(words) : [];
    }

    private static string? ReadStemmer(JsonField? field) =>
        field is not null && field.Require("type").AsChoice(("snowball", true), ("none", false))
            ? field.Require("language").AsString()
            : null;
}
