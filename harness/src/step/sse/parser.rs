//! The event stream format of the HTML standard ("Server-sent events", 9.2.6): bytes in, events out.

use serde_json::{Map, Value as Json};

use super::super::stream::{BYTES_MAX, with_json};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Takes bytes as they arrive; a line may come in many parts.
#[derive(Default)]
pub(super) struct Parser {
    pending: Vec<u8>,
    /// Up to here there is no line end.
    scanned: usize,
    has_started: bool,
    event: String,
    data: String,
    last_id: String,
}

/// More came for one event than may be kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Parser {
    /// The events that are complete now.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Json>, TooLong> {
        self.pending.extend_from_slice(bytes);
        if !self.has_started {
            if self.pending.len() < BOM.len() && BOM.starts_with(&self.pending) {
                return Ok(Vec::new());
            }
            self.has_started = true;
            if self.pending.starts_with(BOM) {
                self.pending.drain(..BOM.len());
            }
        }
        let mut events = Vec::new();
        let pending = std::mem::take(&mut self.pending);
        let mut rest = &pending[..];
        while let Some((line, after)) = split_line(rest, std::mem::take(&mut self.scanned)) {
            events.extend(self.line(&String::from_utf8_lossy(line)));
            rest = after;
        }
        // A lone CR at the end may be half of a CRLF, so it waits with its line.
        self.scanned = rest.len().saturating_sub(1);
        self.pending = rest.to_vec();
        if self.pending.len() + self.data.len() > BYTES_MAX { Err(TooLong) } else { Ok(events) }
    }

    fn line(&mut self, line: &str) -> Option<Json> {
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.last_id),
            // A comment, `retry` (nothing is connected again), or a field that the standard ignores.
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Json> {
        let event = std::mem::take(&mut self.event);
        let mut data = std::mem::take(&mut self.data);
        // An event without data is none.
        data.pop()?;
        let event = if event.is_empty() { "message".to_owned() } else { event };
        let id = if self.last_id.is_empty() { Json::Null } else { self.last_id.clone().into() };
        let fields = [("event".to_owned(), event.into()), ("id".to_owned(), id)];
        Some(with_json(Map::from_iter(fields), &data))
    }
}

/// The first line and what follows it; lines end with LF, CRLF or CR. There is no line end before `from`.
fn split_line(bytes: &[u8], from: usize) -> Option<(&[u8], &[u8])> {
    let end = from + bytes.get(from..)?.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
    let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
    match (bytes[end], rest.first()) {
        (b'\r', Some(b'\n')) => Some((line, &rest[1..])),
        (b'\r', None) => None,
        _ => Some((line, rest)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::{Parser, TooLong};

    fn events(text: &[u8]) -> Vec<Json> {
        Parser::default().take(text).unwrap()
    }

    #[test]
    fn the_examples_of_the_standard_are_read_as_it_says() {
        assert_eq!(
            events(b"data: YHOO\ndata: +2\ndata: 10\n\n"),
            [json!({"event": "message", "id": null, "data": "YHOO\n+2\n10"})]
        );
        let got =
            events(b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n");
        let seen: Vec<_> = got.iter().map(|event| (event["id"].clone(), event["data"].as_str().unwrap())).collect();
        assert_eq!(seen, [(json!("1"), "first event"), (Json::Null, "second event"), (Json::Null, " third event")]);
        assert_eq!(events(b"data\n\ndata\ndata\n\ndata:\n").len(), 2, "the last is not complete");
        assert_eq!(events(b"data:test\n\ndata: test\n\n").len(), 2);
    }

    #[test]
    fn line_ends_a_byte_order_mark_and_names_are_understood() {
        let got = events(b"\xef\xbb\xbfevent: add\rdata: {\"n\": 1}\r\rid: 7\0\r\nevent\r\nretry: 10\r\nnonsense: x\r\ndata: \xff\r\n\r\n");
        assert_eq!(got[0], json!({"event": "add", "id": null, "data": "{\"n\": 1}", "json": {"n": 1}}));
        assert_eq!(got[1], json!({"event": "message", "id": null, "data": "\u{fffd}"}));
    }

    #[test]
    fn an_id_stays_until_another_comes() {
        let got = events(b"id: 3\ndata: a\n\ndata: b\n\n");
        assert_eq!((&got[0]["id"], &got[1]["id"]), (&json!("3"), &json!("3")));
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let mut parser = Parser::default();
        let chunk = vec![b'x'; 1024 * 1024];
        let mut parts = (0..5).map(|_| parser.take(&chunk));
        assert!(parts.by_ref().take(4).all(|part| part == Ok(Vec::new())));
        assert_eq!(parts.next(), Some(Err(TooLong)));
    }

    proptest! {
        /// However the bytes are cut, the events are the same.
        #[test]
        fn parts_give_what_the_whole_gives(text in "(data: [a-z]{0,3}|id: 1|event: e|:c|\r|\n|\r\n|\u{feff}){0,20}", cuts in proptest::collection::vec(0usize..40, 0..6)) {
            let bytes = text.as_bytes();
            let mut parser = Parser::default();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let parts: Vec<_> = cuts.windows(2).flat_map(|pair| parser.take(&bytes[pair[0]..pair[1]]).unwrap()).collect();
            prop_assert_eq!(parts, events(bytes));
        }
    }
}
