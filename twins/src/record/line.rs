//! The file of a recording: JSON lines, the first of which says what it is a recording of. A line is written whole once
//! its exchange is over; one that a kill has cut short is left out when the file is read.

use std::path::Path;

use jiff::Timestamp;
use located::{Diagnostic, Place, Source};
use serde::{Deserialize, Serialize};

use super::body::Written;
use crate::shape::{AnswerShape, Folder, Shapes};

const FORMAT: u32 = 1;
const BEGINNING: &str = "{\"recording\":";

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    /// The version of the format.
    recording: u32,
    /// What stands before the paths, without a slash at the end.
    pub(super) upstream: String,
    recorded_at: Timestamp,
}

/// One request and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    /// Counts from 1 in the order in which requests came; lines stand in the order in which answers ended.
    pub(super) number: u64,
    /// Method and path without ids.
    pub(crate) operation: String,
    pub(crate) request: Asked,
    pub(crate) answer: Answered,
    /// What the answer's body looks like.
    pub(crate) shape: AnswerShape,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) query: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Written>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Written>,
    /// The service or the client went away before the end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) cut: bool,
}

/// A recording, read.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    pub(super) head: Head,
    /// In the order in which requests came.
    pub(crate) exchanges: Vec<Exchange>,
}

impl Head {
    pub(super) fn new(upstream: &str) -> Self {
        Self { recording: FORMAT, upstream: upstream.to_owned(), recorded_at: Timestamp::now() }
    }
}

/// Whether a text begins like a recording.
pub(crate) fn is_one(text: &str) -> bool {
    text.starts_with(BEGINNING)
}

impl Recording {
    /// # Errors
    /// What cannot be read, with its line.
    pub(crate) fn read(path: &Path) -> Result<Self, Diagnostic> {
        Self::parse(&Source::read(path)?)
    }

    pub(crate) fn parse(source: &Source) -> Result<Self, Diagnostic> {
        let wrong = |line: usize, error: &serde_json::Error| {
            let place = Place { line, column: error.column().max(1), width: 1 };
            source
                .diagnostic(place, words(error))
                .hint("a recording is written by `twins record`, a line for each exchange")
        };
        // A kill cuts the last line only, and with it its end.
        let whole = source.text().rfind('\n').map_or("", |end| &source.text()[..end]);
        let mut lines = whole.lines().enumerate();
        let head = lines.next().map_or("", |(_, line)| line);
        let head: Head = serde_json::from_str(head).map_err(|error| wrong(1, &error))?;
        if head.recording != FORMAT {
            let message = format!("this is format {} of recordings; this version reads {FORMAT}", head.recording);
            return Err(source.diagnostic(Place::START, message));
        }
        let parsed = lines.map(|(index, line)| serde_json::from_str(line).map_err(|error| wrong(index + 1, &error)));
        let mut exchanges: Vec<Exchange> = parsed.collect::<Result<_, _>>()?;
        exchanges.sort_by_key(|exchange| exchange.number);
        Ok(Self { head, exchanges })
    }

    /// The shapes of all answers that came whole, by operation. A folder that knows templates names operations by them.
    pub(crate) fn shapes(&self, folder: Option<&Folder>) -> Shapes {
        let mut shapes = Shapes::default();
        for exchange in self.exchanges.iter().filter(|exchange| !exchange.answer.cut) {
            let operation = match folder {
                Some(folder) => format!("{} {}", exchange.request.method, folder.fold(&exchange.request.path)),
                None => exchange.operation.clone(),
            };
            shapes.add(&operation, exchange.answer.status, exchange.shape.clone());
        }
        shapes
    }
}

/// The error without its place, which the diagnostic shows.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(&*text, |(words, _)| words).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"{"recording":1,"upstream":"https://api.example.com","recorded_at":"2026-11-20T12:00:00Z"}"#;

    fn exchange(number: u64) -> String {
        format!(
            r#"{{"number":{number},"operation":"GET /a","request":{{"method":"GET","path":"/a"}},"answer":{{"status":204}},"shape":"empty"}}"#
        )
    }

    #[test]
    fn a_line_that_was_cut_short_is_left_out() {
        let text = format!("{HEAD}\n{}\n{}\n{{\"number\":3,\"oper", exchange(2), exchange(1));
        let recording = Recording::parse(&Source::new("a.jsonl", text)).expect("is fine");
        let numbers: Vec<_> = recording.exchanges.iter().map(|exchange| exchange.number).collect();
        assert_eq!(numbers, [1, 2]);
    }

    #[test]
    fn a_mistake_is_shown_with_its_line() {
        let text = format!("{HEAD}\n{}\n{{\"number\":\"x\"}}\n", exchange(1));
        let said = Recording::parse(&Source::new("a.jsonl", text)).expect_err("is refused").to_string();
        assert!(said.contains("a.jsonl:3:13: invalid type: string \"x\", expected u64"), "{said}");
        let said = Recording::parse(&Source::new("a.jsonl", HEAD.replace(":1", ":2") + "\n"))
            .expect_err("is refused")
            .to_string();
        assert!(said.contains("format 2"), "{said}");
        assert!(Recording::parse(&Source::new("a.jsonl", "")).is_err());
    }
}
