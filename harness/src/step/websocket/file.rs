//! A `websocket` step as a file writes it.

use std::{borrow::Cow, fmt, num::NonZeroUsize};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::super::stream::{MessageRule, Until, UntilParts};
use crate::{
    expect::{PathCheck, Predicates},
    scenario::Lower,
    text::{Entries, Node, Period, Placed, Text, given},
};

/// One of `connect` and `continue`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebsocketFile {
    /// A path on the subject.
    #[serde(default)]
    pub(super) connect: Option<Text>,
    /// Go on with a connection that an earlier step kept.
    #[serde(default, rename = "continue")]
    pub(super) resume: Option<Text>,
    #[serde(default)]
    pub(super) headers: Entries<Node>,
    #[serde(default)]
    pub(super) query: Entries<Node>,
    /// Offered in this order.
    #[serde(default)]
    pub(super) subprotocols: Vec<Text>,
    /// What is sent, in this order.
    #[serde(default)]
    pub(super) send: Vec<Placed<SendFile>>,
    /// When enough was heard after that.
    #[serde(default)]
    pub(super) until: Option<Placed<UntilFile>>,
    /// The code that it is closed with at the end: 1000 to 1003, or 3000 to 4999. Default 1000.
    #[serde(default)]
    pub(super) close: Option<Placed<u16>>,
    /// Keep the connection open for later steps.
    #[serde(default)]
    pub(super) keep_as: Option<Text>,
    /// Default 10s, at most 5m.
    #[serde(default)]
    pub(super) timeout: Option<Placed<Period>>,
}

/// One form: `messages`; `data` and `jsonpath` of one message; `closed`; or `elapsed`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UntilFile {
    /// So many messages came from here on, at most 10000.
    #[serde(default)]
    pub(super) messages: Option<NonZeroUsize>,
    /// The data of a message, as text; of a binary one as Base64.
    #[serde(default, deserialize_with = "given")]
    pub(super) data: Option<Predicates>,
    /// The data of a message, as JSON.
    #[serde(default)]
    pub(super) jsonpath: Vec<PathCheck>,
    /// The subject ended the connection.
    #[serde(default)]
    pub(super) closed: Option<bool>,
    /// Listen for so long, at most 60s; the connection must stay open.
    #[serde(default)]
    pub(super) elapsed: Option<Placed<Period>>,
}

/// A text, or one of text, json, `bytes_base64`, ping and await.
#[derive(Debug)]
pub(crate) enum SendFile {
    Text(Text),
    Map(SendMap),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum SendMap {
    Text(Text),
    Json(Node),
    /// A binary message.
    BytesBase64(Text),
    /// The answer must come back.
    Ping(Text),
    /// Listen before more is sent.
    Await(Placed<UntilFile>),
}

impl Placed<UntilFile> {
    pub(super) fn lower(self, lower: &mut Lower<'_>) -> Until {
        let UntilFile { messages, data, jsonpath, closed, elapsed } = self.value;
        let message = MessageRule { event: None, data, jsonpath };
        UntilParts { count: messages, message, closed, elapsed, place: self.place }.lower(lower)
    }
}

impl<'de> Deserialize<'de> for SendFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrMap;

        impl<'de> Visitor<'de> for TextOrMap {
            type Value = SendFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or one of {text: …}, {json: …}, {bytes_base64: …}, {ping: …}, {await: …}")
            }

            fn visit_str<E>(self, value: &str) -> Result<SendFile, E> {
                Ok(SendFile::Text(Text { value: value.to_owned(), place: located::Place::START }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SendFile, A::Error> {
                SendMap::deserialize(MapAccessDeserializer::new(map)).map(SendFile::Map)
            }
        }
        deserializer.deserialize_any(TextOrMap)
    }
}

impl JsonSchema for SendFile {
    fn schema_name() -> Cow<'static, str> {
        "Send".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = SendMap::json_schema(generator);
        json_schema!({ "anyOf": [{ "type": "string" }, map] })
    }
}
