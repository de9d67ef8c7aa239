//! The journal as a file of JSON lines, and the proof that such a file was not changed.

use std::{borrow::Cow, io::BufRead};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Entry,
    call::redacted,
    chain::{self, Headers, Link, LinkAnswer},
};

const LINE_BYTES_MAX: u64 = 256 * 1024 * 1024; // two bodies at their largest, written as base64

/// One call, whole: what is hashed, and where it stands in the chain.
#[derive(Serialize, Deserialize)]
pub(crate) struct Line<'a> {
    seq: u64,
    space: Cow<'a, str>,
    twin: Cow<'a, str>,
    operation: Option<Cow<'a, str>>,
    fault: Option<Cow<'a, str>>,
    rule: Option<u32>,
    virtual_at: Timestamp,
    request: LineRequest<'a>,
    response: Option<LineResponse<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unread: Option<Vec<String>>,
    previous: String,
    hash: String,
}

#[derive(Serialize, Deserialize)]
struct LineRequest<'a> {
    method: Cow<'a, str>,
    path: Cow<'a, str>,
    query: Cow<'a, str>,
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(flatten)]
    body: LineBody<'a>,
}

#[derive(Serialize, Deserialize)]
struct LineResponse<'a> {
    status: u16,
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(flatten)]
    body: LineBody<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LineBody<'a> {
    Body(Cow<'a, str>),
    /// Of bytes that are no text.
    BodyBase64(String),
}

impl<'a> LineBody<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Body(Cow::Borrowed(text)),
            Err(_) => Self::BodyBase64(BASE64_STANDARD.encode(bytes)),
        }
    }

    fn owned(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Body(Cow::Owned(text)),
            Err(error) => Self::BodyBase64(BASE64_STANDARD.encode(error.as_bytes())),
        }
    }

    fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Body(text) => Some(Cow::Borrowed(text.as_bytes())),
            Self::BodyBase64(text) => BASE64_STANDARD.decode(text).ok().map(Cow::Owned),
        }
    }
}

impl Entry {
    /// The entry as a line of the export, without the end of the line.
    pub(crate) fn line(&self, space: &str) -> String {
        let request = &self.request;
        let headers = request.headers.iter();
        let headers = headers.map(|(name, value)| (Cow::Borrowed(name), redacted(name, value))).collect();
        let line = Line {
            seq: self.seq,
            space: space.into(),
            twin: Cow::Borrowed(&self.twin),
            operation: self.operation.map(Cow::Borrowed),
            fault: self.fault.map(|fault| fault.name().into()),
            rule: self.rule,
            virtual_at: self.virtual_at,
            request: LineRequest {
                method: Cow::Borrowed(&request.method),
                path: Cow::Borrowed(&request.path),
                query: Cow::Borrowed(&request.raw_query),
                headers,
                body: LineBody::of(&request.body),
            },
            response: self.reply.as_ref().map(|reply| LineResponse {
                status: reply.status,
                headers: reply.headers.iter().map(|(name, value)| (Cow::Borrowed(&**name), value.into())).collect(),
                body: LineBody::owned(reply.body.bytes().to_vec()),
            }),
            unread: self.unread.clone(),
            previous: self.previous.to_hex().to_string(),
            hash: self.hash.to_hex().to_string(),
        };
        serde_json::to_string(&line).expect("a line has text keys only")
    }
}

impl Line<'_> {
    /// What the line says was hashed; none where its base64 is none.
    fn link(&self) -> Option<Link<'_>> {
        fn pairs<'h>(headers: &'h [(Cow<'_, str>, Cow<'_, str>)]) -> Headers<'h> {
            headers.iter().map(|(name, value)| (&**name, Cow::Borrowed(&**value))).collect()
        }
        let answer = match &self.response {
            None => None,
            Some(response) => Some(LinkAnswer {
                status: response.status,
                headers: pairs(&response.headers),
                body: response.body.bytes()?,
            }),
        };
        Some(Link {
            seq: self.seq,
            virtual_at_ms: self.virtual_at.as_millisecond(),
            twin: &self.twin,
            operation: self.operation.as_deref().unwrap_or_default(),
            fault: self.fault.as_deref().unwrap_or_default(),
            rule: self.rule.unwrap_or_default(),
            method: &self.request.method,
            path: &self.request.path,
            query: &self.request.query,
            headers: pairs(&self.request.headers),
            body: self.request.body.bytes()?,
            answer,
        })
    }
}

/// What a file proves.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct JournalProof {
    pub calls: u64,
    /// The number of the first call in the file; above 1, the file is the end of a longer history.
    pub first_seq: u64,
    /// The end of the chain, as `GET /__twin/journal` says it.
    pub head: String,
}

/// The first line that does not fit.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct JournalFlaw {
    /// Counts from 1.
    pub line: u64,
    pub why: String,
}

/// Recomputes the hash chain of an exported journal.
///
/// # Errors
/// The first line that was changed, added, taken out or moved.
pub fn verify_journal(mut file: impl BufRead) -> Result<JournalProof, JournalFlaw> {
    let mut proof = JournalProof { calls: 0, first_seq: 1, head: chain::first().to_hex().to_string() };
    let mut text = Vec::new();
    for number in 1.. {
        let flaw = |why: String| JournalFlaw { line: number, why };
        text.clear();
        let mut bounded = std::io::Read::take(&mut file, LINE_BYTES_MAX);
        let read = bounded.read_until(b'\n', &mut text).map_err(|error| flaw(format!("cannot be read: {error}")))?;
        if read == 0 {
            break;
        }
        let line: Line<'_> =
            serde_json::from_slice(&text).map_err(|error| flaw(format!("is no line of a journal: {error}")))?;
        follow(&mut proof, &line).map_err(flaw)?;
    }
    Ok(proof)
}

fn follow(proof: &mut JournalProof, line: &Line<'_>) -> Result<(), String> {
    if proof.calls == 0 && line.seq > 1 {
        (proof.first_seq, proof.head) = (line.seq, line.previous.clone());
    }
    let expected = proof.first_seq + proof.calls;
    if line.seq != expected {
        return Err(format!("holds call {} where call {expected} belongs", line.seq));
    }
    if line.previous != proof.head {
        return Err(format!("call {} does not follow the one before it", line.seq));
    }
    let previous = blake3::Hash::from_hex(&line.previous).map_err(|error| format!("`previous` is no hash: {error}"))?;
    let link = line.link().ok_or("`body_base64` is no base64")?;
    if chain::hash(&previous, &link).to_hex().as_str() != line.hash {
        return Err(format!("call {} was changed after it was written", line.seq));
    }
    proof.calls += 1;
    proof.head.clone_from(&line.hash);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::journal::{Journal, tests::record},
        http::Reply,
    };

    fn exported() -> String {
        let mut journal = Journal::new();
        for body in [0, 3, 5] {
            let mut record = record(body);
            record.reply = Some(Reply::bytes(200, "x/y", vec![0xff; body]).into());
            journal.record(record);
        }
        journal.entries().map(|entry| entry.line("s") + "\n").collect()
    }

    fn flaw(text: &str) -> String {
        verify_journal(text.as_bytes()).expect_err("is flawed").to_string()
    }

    #[test]
    fn an_exported_journal_proves_itself_as_a_whole_and_from_a_cursor_on() {
        let text = exported();
        let proof = verify_journal(text.as_bytes()).expect("is whole");
        assert_eq!((proof.calls, proof.first_seq), (3, 1));
        let end: String = text.lines().skip(1).map(|line| format!("{line}\n")).collect();
        let from_cursor = verify_journal(end.as_bytes()).expect("is the end");
        assert_eq!((from_cursor.calls, from_cursor.first_seq, from_cursor.head), (2, 2, proof.head));
        assert_eq!(verify_journal(b"".as_slice()).expect("is empty").calls, 0);
    }

    #[test]
    fn every_change_is_found_at_its_line() {
        let text = exported();
        let lines: Vec<&str> = text.lines().collect();
        assert!(flaw(&text.replacen("\"status\":200", "\"status\":201", 1)).starts_with("line 1: call 1 was changed"));
        assert!(flaw(&text.replacen("xxxxx", "xxxxy", 1)).starts_with("line 3: call 3 was changed"));
        assert!(flaw(&[lines[0], lines[2]].join("\n")).contains("call 3 where call 2 belongs"));
        assert!(flaw(&text.replacen("\"seq\":1", "\"seq\":9", 1)).contains("was changed"));
        assert!(flaw("{}").contains("no line of a journal"));
        let rebuilt = lines[1].replacen("\"seq\":2", "\"seq\":1", 1);
        assert!(flaw(&rebuilt).contains("does not follow"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            verify_journal(bytes.as_slice()).ok();
        }
    }
}
