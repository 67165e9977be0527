using AiDb.Engine.Collections;
using Wire = AiDb.Contracts.QdrantApi;

namespace AiDb.Gateway.Qdrant.Grpc;

/// <summary>Settings of payload indexes on the wire.</summary>
internal static class IndexSettings
{
    /// <summary>Reads the settings of an index.</summary>
    /// <param name="type">The kind; null: the settings say.</param>
    /// <param name="parameters">The settings; null: those of the kind.</param>
    public static PayloadIndexOptions FromWire(Wire.FieldType? type, Wire.PayloadIndexParams? parameters)
    {
        PayloadIndexOptions? options = FromWire(parameters);
        PayloadIndexKind? kind = type switch
        {
            null => options?.Kind,
            Wire.FieldType.Keyword => PayloadIndexKind.Keyword,
            Wire.FieldType.Integer => PayloadIndexKind.Integer,
            Wire.FieldType.Float => PayloadIndexKind.Float,
            Wire.FieldType.Geo => PayloadIndexKind.Geo,
            Wire.FieldType.Text => PayloadIndexKind.Text,
            Wire.FieldType.Bool => PayloadIndexKind.Bool,
            Wire.FieldType.Datetime => PayloadIndexKind.Datetime,
            Wire.FieldType.Uuid => PayloadIndexKind.Uuid,
            _ => throw GrpcCalls.Invalid($"field_type is {(int)type}; 0 to 7 are known"),
        };
        if (kind is not { } known)
            throw GrpcCalls.Invalid("field_type is missing, and field_index_params does not say it either");
        if (options is not null && options.Kind != known)
            throw GrpcCalls.Invalid($"field_type is {known}, but field_index_params are those of {options.Kind}");
        return options ?? new PayloadIndexOptions { Kind = known };
    }

    /// <summary>Writes an index.</summary>
    public static Wire.PayloadSchemaInfo ToWire(PayloadIndexInfo index) => new()
    {
        DataType = index.Options.Kind switch
        {
            PayloadIndexKind.Keyword => Wire.PayloadSchemaType.Keyword,
            PayloadIndexKind.Integer => Wire.PayloadSchemaType.Integer,
            PayloadIndexKind.Float => Wire.PayloadSchemaType.Float,
            PayloadIndexKind.Bool => Wire.PayloadSchemaType.Bool,
            PayloadIndexKind.Geo => Wire.PayloadSchemaType.Geo,
            PayloadIndexKind.Datetime => Wire.PayloadSchemaType.Datetime,
            PayloadIndexKind.Text => Wire.PayloadSchemaType.Text,
            _ => Wire.PayloadSchemaType.Uuid,
        },
        Params = ToWire(index.Options),
        Points = (ulong)index.Points,
    };

    private static PayloadIndexOptions? FromWire(Wire.PayloadIndexParams? parameters)
    {
        switch (parameters?.IndexParamsCase)
        {
            case Wire.PayloadIndexParams.IndexParamsOneofCase.KeywordIndexParams:
                Wire.KeywordIndexParams keyword = parameters.KeywordIndexParams;
                return new PayloadIndexOptions
                {
                    Kind = PayloadIndexKind.Keyword,
                    IsTenant = keyword.HasIsTenant ? keyword.IsTenant : null,
                    OnDisk = VectorSettings.OnDisk(keyword.HasOnDisk ? keyword.OnDisk : null, keyword.Memory),
                };
            case Wire.PayloadIndexParams.IndexParamsOneofCase.IntegerIndexParams:
                Wire.IntegerIndexParams integer = parameters.IntegerIndexParams;
                return new PayloadIndexOptions
                {
                    Kind = PayloadIndexKind.Integer,
                    Lookup = !integer.HasLookup || integer.Lookup,
                    Range = !integer.HasRange || integer.Range,
                    IsPrincipal = integer.HasIsPrincipal ? integer.IsPrincipal : null,
                    OnDisk = VectorSettings.OnDisk(integer.HasOnDisk ? integer.OnDisk : null, integer.Memory),
                };
            case Wire.PayloadIndexParams.IndexParamsOneofCase.FloatIndexParams:
                Wire.FloatIndexParams number = parameters.FloatIndexParams;
                return new PayloadIndexOptions
                {
                    Kind = PayloadIndexKind.Float,
                    IsPrincipal = number.HasIsPrincipal ? number.IsPrincipal : null,
                    OnDisk = VectorSettings.OnDisk(number.HasOnDisk ? number.OnDisk : null, number.Memory),
                };
            case Wire.PayloadIndexParams.IndexParamsOneofCase.GeoIndexParams:
                Wire.GeoIndexParams geo = parameters.GeoIndexParams;
                return new PayloadIndexOptions
                {
                    Kind = PayloadIndexKind.Geo,
                    OnDisk = VectorSettings.OnDisk(geo.HasOnDisk ? geo.OnDisk : null, geo.Memory),
                };
            case Wire.PayloadIndexParams.IndexParamsOneofCase.TextIndexParams:
                return FromWire(parameters.TextIndexParams);
            case Wire.PayloadIndexParams.IndexParamsOneofCase.BoolIndexParams:
                Wire.BoolIndexParams truth = parameters.BoolIndexParams;
                return new PayloadIndexOptions
                {
                    Kind = PayloadIndexKind.Bool,
                    OnDisk = VectorSettings.OnDisk(truth.HasOnDisk ? truth.OnDisk : null, truth.Memory),
                };
            case Wire.PayloadIndexParams.IndexParamsOneofCase.DatetimeIndexParams:
                Wire.DatetimeIndexParams time = parameters.DatetimeIndexParams;
                return new PayloadIndexOptions
                {
                    Kind = PayloadIndexKind.Datetime,
                    IsPrincipal = time.HasIsPrincipal ? time.IsPrincipal : null,
                    OnDisk = VectorSettings.OnDisk(time.HasOnDisk ? time.OnDisk : null, time.Memory),
                };
            case Wire.PayloadIndexParams.IndexParamsOneofCase.UuidIndexParams:
                Wire.UuidIndexParams uuid = parameters.UuidIndexParams;
                return new PayloadIndexOptions
                {
                    Kind = PayloadIndexKind.Uuid,
                    IsTenant = uuid.HasIsTenant ? uuid.IsTenant : null,
                    OnDisk = VectorSettings.OnDisk(uuid.HasOnDisk ? uuid.OnDisk : null, uuid.Memory),
                };
            default:
                return null;
        }
    }

    private static PayloadIndexOptions FromWire(Wire.TextIndexParams text) => new()
    {
        Kind = PayloadIndexKind.Text,
        OnDisk = VectorSettings.OnDisk(text.HasOnDisk ? text.OnDisk : null, text.Memory),
        Text = new TextIndexOptions
        {
            Tokenizer = text.Tokenizer switch
            {
                Wire.TokenizerType.Unknown or Wire.TokenizerType.Word => TextTokenizer.Word,
                Wire.TokenizerType.Prefix => TextTokenizer.Prefix,
                Wire.TokenizerType.Whitespace => TextTokenizer.Whitespace,
                Wire.TokenizerType.Multilingual => TextTokenizer.Multilingual,
                _ => throw GrpcCalls.Invalid($"tokenizer is {(int)text.Tokenizer}; 1 to 4 are known"),
            },
            Lowercase = !text.HasLowercase || text.Lowercase,
            AsciiFolding = text.AsciiFolding,
            MinTokenLength = text.HasMinTokenLen ? Limits.ToInt(text.MinTokenLen, "min_token_len") : null,
            MaxTokenLength = text.HasMaxTokenLen ? Limits.ToInt(text.MaxTokenLen, "max_token_len") : null,
            PhraseMatching = text.PhraseMatching,
            StopwordLanguages = [.. text.Stopwords?.Languages ?? []],
            Stopwords = [.. text.Stopwords?.Custom ?? []],
            StemmerLanguage = text.Stemmer?.Snowball?.Language,
        },
    };

    private static Wire.PayloadIndexParams? ToWire(PayloadIndexOptions options)
    {
        switch (options.Kind)
        {
            case PayloadIndexKind.Integer:
                Wire.IntegerIndexParams integer = new() { Lookup = options.Lookup, Range = options.Range };
                if (options.IsPrincipal is { } principal)
                    integer.IsPrincipal = principal;
                if (options.OnDisk is { } onDisk)
                    integer.OnDisk = onDisk;
                return new Wire.PayloadIndexParams { IntegerIndexParams = integer };
            case PayloadIndexKind.Keyword when options.IsTenant is not null || options.OnDisk is not null:
                Wire.KeywordIndexParams keyword = new();
                if (options.IsTenant is { } tenant)
                    keyword.IsTenant = tenant;
                if (options.OnDisk is { } keywordOnDisk)
                    keyword.OnDisk = keywordOnDisk;
                return new Wire.PayloadIndexParams { KeywordIndexParams = keyword };
            case PayloadIndexKind.Text:
                return new Wire.PayloadIndexParams { TextIndexParams = ToWire(options.Text ?? new(), options.OnDisk) };
            default:
                return null;
        }
    }

    private static Wire.TextIndexParams ToWire(TextIndexOptions text, bool? onDisk)
    {
        Wire.TextIndexParams parameters = new()
        {
            Tokenizer = text.Tokenizer switch
            {
                TextTokenizer.Prefix => Wire.TokenizerType.Prefix,
                TextTokenizer.Whitespace => Wire.TokenizerType.Whitespace,
                TextTokenizer.Multilingual => Wire.TokenizerType.Multilingual,
                _ => Wire.TokenizerType.Word,
            },
            Lowercase = text.Lowercase,
            PhraseMatching = text.PhraseMatching,
            AsciiFolding = text.AsciiFolding,
        };
        if (text.MinTokenLength is { } shortest)
            parameters.MinTokenLen = (ulong)shortest;
        if (text.MaxTokenLength is { } longest)
            parameters.MaxTokenLen = (ulong)longest;
        if (onDisk is { } stays)
            parameters.OnDisk = stays;
        if (text.StopwordLanguages.Count + text.Stopwords.Count > 0)
        {
            parameters.Stopwords = new Wire.StopwordsSet();
            parameters.Stopwords.Languages.AddRange(text.StopwordLanguages);
            parameters.Stopwords.Custom.AddRange(text.Stopwords);
        }

        if (text.StemmerLanguage is { } language)
        {
            parameters.Stemmer =
                new Wire.StemmingAlgorithm { Snowball = new Wire.SnowballParams { Language = language } };
        }

        return parameters;
    }
}
