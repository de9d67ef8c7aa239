//! An `http` step as it is written.

use std::fmt;

use located::Place;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use crate::text::{Entries, Node, Period, Placed, Text, given};

/// Exactly one method with a path; at most one body. A path starts with `/` and is the subject's; an absolute URL is
/// allowed where `harness.yaml` lists its origin under `origins`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpFile {
    #[serde(default)]
    pub(super) get: Option<Text>,
    #[serde(default)]
    pub(super) post: Option<Text>,
    #[serde(default)]
    pub(super) put: Option<Text>,
    #[serde(default)]
    pub(super) patch: Option<Text>,
    #[serde(default)]
    pub(super) delete: Option<Text>,
    #[serde(default)]
    pub(super) head: Option<Text>,
    #[serde(default)]
    pub(super) options: Option<Text>,
    /// Any other method, such as `PURGE`. With `url`.
    #[serde(default)]
    pub(super) method: Option<Text>,
    /// The path of `method`.
    #[serde(default)]
    pub(super) url: Option<Text>,
    /// A list repeats the header. `content-type: null` sends none.
    #[serde(default)]
    pub(super) headers: Entries<Node>,
    /// A list repeats the parameter.
    #[serde(default)]
    pub(super) query: Entries<Node>,
    /// Sent besides those of the trial's cookie jar.
    #[serde(default)]
    pub(super) cookies: Entries<Node>,
    /// Default `on`: cookies that a response sets are sent by later steps of the trial.
    #[serde(default)]
    pub(super) cookie_jar: JarMode,
    #[serde(default, deserialize_with = "given")]
    pub(super) json: Option<Node>,
    /// Fields as a browser's form sends them. A list repeats the field.
    #[serde(default)]
    pub(super) form: Option<Entries<Node>>,
    #[serde(default)]
    pub(super) text: Option<Text>,
    #[serde(default)]
    pub(super) bytes_base64: Option<Text>,
    #[serde(default)]
    pub(super) bytes_hex: Option<Text>,
    /// A file beside the scenario or in a folder below; streamed.
    #[serde(default)]
    pub(super) file: Option<Text>,
    /// Name → a text, or `{file: a.png, content_type: image/png, filename: x.png}`. Files are streamed.
    #[serde(default)]
    pub(super) multipart: Option<Entries<PartFile>>,
    /// Sent as JSON.
    #[serde(default)]
    pub(super) graphql: Option<GraphqlFile>,
    #[serde(default)]
    pub(super) basic_auth: Option<BasicAuthFile>,
    /// A token for `authorization: Bearer`.
    #[serde(default)]
    pub(super) bearer: Option<Text>,
    /// Default: not followed. `follow` is up to 10 of them; every hop stays on the subject and the listed origins.
    #[serde(default)]
    pub(super) redirects: Option<RedirectsFile>,
    /// Asks for gzip, br, deflate and zstd. Compressed answers are decoded in any case. Default false.
    #[serde(default)]
    pub(super) compressed: bool,
    /// Default: 1.1 over http; what the server prefers of 2 and 1.1 over https.
    #[serde(default)]
    pub(super) http_version: Option<HttpVersion>,
    #[serde(default)]
    pub(super) tls: Option<TlsFile>,
    #[serde(default)]
    pub(super) connect: Option<ConnectFile>,
    /// Of the connection alone. Default: the timeout.
    #[serde(default)]
    pub(super) connect_timeout: Option<Placed<Period>>,
    /// Of the whole exchange, redirects included. Default 10s, at most 5m.
    #[serde(default)]
    pub(super) timeout: Option<Placed<Period>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JarMode {
    #[default]
    On,
    /// The jar is neither read nor filled.
    Off,
    /// The jar is emptied first.
    Clear,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum HttpVersion {
    #[serde(rename = "1.0")]
    One,
    #[serde(rename = "1.1")]
    OneOne,
    #[serde(rename = "2")]
    Two,
}

impl HttpVersion {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::One => "1.0",
            Self::OneOne => "1.1",
            Self::Two => "2",
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GraphqlFile {
    pub(super) query: Text,
    #[serde(default, deserialize_with = "given")]
    pub(super) variables: Option<Node>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BasicAuthFile {
    pub(super) user: Text,
    pub(super) password: Text,
}

/// `follow`, or `{max: 3, trusted: true}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum RedirectsFile {
    Word(RedirectWord),
    Limits(RedirectLimits),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RedirectWord {
    Follow,
    /// The default.
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedirectLimits {
    /// Default 10, at most 100. One more fails the step.
    #[serde(default)]
    pub(super) max: Option<u16>,
    /// Credentials go along to another origin. Default false.
    #[serde(default)]
    pub(super) trusted: bool,
}

/// Files stand beside the scenario or in a folder below.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsFile {
    /// Takes any certificate. Default false.
    #[serde(default)]
    pub(super) insecure: bool,
    /// A PEM file with the authorities that are trusted, instead of the machine's.
    #[serde(default)]
    pub(super) ca: Option<Text>,
    /// A PEM file with the client's certificate; with its key too where `key` is not given.
    #[serde(default)]
    pub(super) cert: Option<Text>,
    #[serde(default)]
    pub(super) key: Option<Text>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectFile {
    /// `http://`, `https://`, `socks5://` or `socks5h://`.
    #[serde(default)]
    pub(super) proxy: Option<Text>,
    /// `host:port:address` each: where a name leads, instead of asking.
    #[serde(default)]
    pub(super) resolve: Vec<Text>,
    #[serde(default)]
    pub(super) unix_socket: Option<Text>,
}

/// What one name of a multipart form holds; a list repeats the name.
#[derive(Clone, Debug)]
pub(crate) struct PartFile(pub(super) Vec<PartSource>);

#[derive(Clone, Debug)]
pub(super) enum PartSource {
    Text(Text),
    Map(Box<PartMap>),
}

/// Exactly one of `text`, `file` and `bytes_base64`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PartMap {
    #[serde(default)]
    pub(super) text: Option<Text>,
    #[serde(default)]
    pub(super) file: Option<Text>,
    #[serde(default)]
    pub(super) bytes_base64: Option<Text>,
    /// Default: by the file's name; none for a text.
    #[serde(default)]
    pub(super) content_type: Option<Text>,
    /// Default: the file's own name; none for a text.
    #[serde(default)]
    pub(super) filename: Option<Text>,
}

impl<'de> Deserialize<'de> for PartFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Placed::<Written>::deserialize(deserializer)?;
        let place = written.place;
        Ok(match written.value {
            Written::List(parts) => Self(parts.into_iter().flat_map(|part| part.0).collect()),
            Written::Text(value) => Self(vec![PartSource::Text(Text { value, place })]),
            Written::Map(map) => Self(vec![PartSource::Map(map)]),
        })
    }
}

enum Written {
    Text(String),
    Map(Box<PartMap>),
    List(Vec<PartFile>),
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyPart;

        impl<'de> Visitor<'de> for AnyPart {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a part like {file: a.png}, or a list of them")
            }

            fn visit_str<E>(self, value: &str) -> Result<Written, E> {
                Ok(Written::Text(value.to_owned()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Written, E> {
                Ok(Written::Text(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Written, E> {
                Ok(Written::Text(value.to_string()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Written, E> {
                Ok(Written::Text(value.to_string()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
                PartMap::deserialize(MapAccessDeserializer::new(map)).map(Box::new).map(Written::Map)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Written, A::Error> {
                let mut parts = Vec::new();
                while let Some(part) = seq.next_element()? {
                    parts.push(part);
                }
                Ok(Written::List(parts))
            }
        }
        deserializer.deserialize_any(AnyPart)
    }
}

impl JsonSchema for PartFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Part".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<PartMap>();
        let one = serde_json::json!({ "anyOf": [{ "type": ["string", "number", "boolean"] }, map] });
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

impl HttpFile {
    /// All bodies that are written, by name.
    pub(super) fn body_names(&self) -> Vec<&'static str> {
        [
            ("json", self.json.is_some()),
            ("form", self.form.is_some()),
            ("text", self.text.is_some()),
            ("bytes_base64", self.bytes_base64.is_some()),
            ("bytes_hex", self.bytes_hex.is_some()),
            ("file", self.file.is_some()),
            ("multipart", self.multipart.is_some()),
            ("graphql", self.graphql.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_set)| is_set.then_some(name))
        .collect()
    }
}

impl PartSource {
    pub(super) fn place(&self) -> Option<Place> {
        match self {
            Self::Text(text) => Some(text.place),
            Self::Map(map) => {
                [&map.text, &map.file, &map.bytes_base64].into_iter().flatten().map(|text| text.place).next()
            }
        }
    }
}
