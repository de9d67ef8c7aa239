//! Configuration by twin, from a file or from the command line itself; what a twin refuses is shown in its place.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Error, Result, anyhow, bail};
use located::{Place, Source, Spanned, yaml};
use serde_json::{Value, json};
use twins::TwinError;

/// Twins that play scripts.
const SCRIPTED: [&str; 2] = ["anthropic", "openai"];

pub(super) struct Config {
    source: Source,
    left: BTreeMap<String, Value>,
    places: BTreeMap<String, Place>,
}

impl Config {
    /// `given` is JSON where it begins like JSON, or the path of a file; the script is for those of `served` that play.
    pub(super) fn read(given: Option<&str>, script: Option<&Path>, served: &[String]) -> Result<Self> {
        let source = match given {
            None => Source::new("--config", "{}"),
            Some(text) if text.trim_start().starts_with('{') => Source::new("--config", text),
            Some(path) => Source::read(Path::new(path))?,
        };
        let sections: BTreeMap<String, Spanned<Value>> = yaml(&source)?;
        let places = sections.iter().map(|(twin, section)| (twin.clone(), Place::of(section))).collect();
        let mut left: BTreeMap<_, _> = sections.into_iter().map(|(twin, section)| (twin, section.value)).collect();
        if let Some(script) = script {
            let plays = |twin: &&str| served.iter().any(|wanted| wanted.split('=').next() == Some(*twin));
            let players: Vec<_> = SCRIPTED.into_iter().filter(plays).collect();
            if players.is_empty() {
                bail!("--script is for the twins {}; serve one of them", SCRIPTED.join(" and "));
            }
            for twin in players {
                left.entry(twin.to_owned()).or_insert_with(|| json!({}))["script"] = json!(script);
            }
        }
        Ok(Self { source, left, places })
    }

    pub(super) fn take(&mut self, twin: &str) -> Value {
        self.left.remove(twin).unwrap_or_default()
    }

    /// The error with the place in the file that it is about, where it is about one.
    pub(super) fn located(&self, twin: &str, error: TwinError) -> Error {
        let (TwinError::Config { why, .. }, Some(section)) = (&error, self.places.get(twin)) else {
            return error.into();
        };
        let place = self.place_of_field(*section, why).unwrap_or(*section);
        anyhow!(self.source.diagnostic(place, format!("twin `{twin}`: {why}")))
    }

    /// The first mention of an unknown field behind the beginning of its section.
    fn place_of_field(&self, section: Place, why: &str) -> Option<Place> {
        let field = why.strip_prefix("unknown field `")?.split('`').next()?;
        let text = self.source.text();
        let lines = text.split_inclusive('\n').scan(0, |offset, line| {
            *offset += line.len();
            Some((*offset - line.len(), line))
        });
        let mut mentions = lines.skip(section.line - 1).filter_map(|(offset, line)| Some(offset + line.find(field)?));
        let place = self.source.place_of_offset(mentions.next()?);
        Some(Place { width: field.chars().count(), ..place })
    }

    /// A section that nobody took is a mistake.
    pub(super) fn nothing_left(&self) -> Result<()> {
        let Some(twin) = self.left.keys().next() else { return Ok(()) };
        let message = format!("`{twin}` is configured and not served; add it to the command or take it out");
        let place = self.places.get(twin).copied().unwrap_or(Place::START);
        Err(anyhow!(self.source.diagnostic(place, message)))
    }
}
