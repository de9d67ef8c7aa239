//! A regular expression as it is written; compiled once, when the file is read, where it holds no template.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::text::{RenderError, Scope, Text};

const REGEX_BYTES_MAX: usize = 1 << 20; // compiled size; a hand-written pattern is far below

#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: Text,
    compiled: Option<Regex>,
}

impl Pattern {
    pub(crate) fn regex(&self, scope: &Scope) -> Result<Cow<'_, Regex>, RenderError> {
        if let Some(regex) = &self.compiled {
            return Ok(Cow::Borrowed(regex));
        }
        let written = scope.text(&self.text)?;
        compile(&written).map(Cow::Owned).map_err(|message| RenderError { place: self.text.place, message })
    }

    /// The first group of the first match, or the whole match where the pattern has no group.
    pub(crate) fn find(&self, text: &str, scope: &Scope) -> Result<Option<String>, RenderError> {
        let regex = self.regex(scope)?;
        let found = regex.captures(text);
        Ok(found.and_then(|groups| {
            let wanted = if groups.len() > 1 { 1 } else { 0 };
            groups.get(wanted).map(|group| group.as_str().to_owned())
        }))
    }

    pub(crate) fn written(&self) -> &str {
        &self.text
    }
}

pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    let regex = RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build();
    regex.map_err(|error| format!("`{pattern}` is no regular expression: {error}"))
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        let is_template = text.contains("{{");
        let compiled = (!is_template).then(|| compile(&text)).transpose().map_err(D::Error::custom)?;
        Ok(Self { text, compiled })
    }
}

impl JsonSchema for Pattern {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}
