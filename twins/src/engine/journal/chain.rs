//! What the hash chain covers: everything that was asked and answered, as the journal shows it, so that an exported
//! file can be checked by whoever has it. Not the name of the space, as a fork has the same history; and not `host`,
//! as the port differs from run to run and decides nothing.

use std::borrow::Cow;

use super::{Record, call::redacted};

/// One entry, borrowed from the journal or from a line of a file.
pub(super) struct Link<'a> {
    pub(super) seq: u64,
    pub(super) virtual_at_ms: i64,
    pub(super) twin: &'a str,
    pub(super) operation: &'a str,
    pub(super) fault: &'a str,
    pub(super) rule: u32,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: Headers<'a>,
    pub(super) body: Cow<'a, [u8]>,
    pub(super) answer: Option<LinkAnswer<'a>>,
}

pub(super) struct LinkAnswer<'a> {
    pub(super) status: u16,
    pub(super) headers: Headers<'a>,
    pub(super) body: Cow<'a, [u8]>,
}

pub(super) type Headers<'a> = Vec<(&'a str, Cow<'a, str>)>;

impl<'a> Link<'a> {
    pub(super) fn of(record: &'a Record, seq: u64) -> Self {
        let Record { request, reply, .. } = record;
        let shown = |(name, value): (&'a str, &'a str)| (name, redacted(name, value));
        Self {
            seq,
            virtual_at_ms: record.virtual_at.as_millisecond(),
            twin: &record.twin,
            operation: record.operation.unwrap_or_default(),
            fault: record.fault.map_or("", |fault| fault.name()),
            rule: record.rule.unwrap_or_default(),
            method: &request.method,
            path: &request.path,
            query: &request.raw_query,
            headers: request.headers.iter().map(shown).collect(),
            body: Cow::Borrowed(&request.body),
            answer: reply.as_ref().map(|reply| LinkAnswer {
                status: reply.status,
                headers: reply.headers.iter().map(|(name, value)| (&**name, Cow::Borrowed(value.as_str()))).collect(),
                body: match reply.body.pieces() {
                    [one] => Cow::Borrowed(one),
                    pieces => Cow::Owned(pieces.concat()),
                },
            }),
        }
    }
}

/// What comes before the first call.
pub(super) fn first() -> blake3::Hash {
    blake3::hash(b"twins journal 2")
}

/// Every field is preceded by its length, so that two histories never feed the same bytes.
pub(super) fn hash(previous: &blake3::Hash, link: &Link<'_>) -> blake3::Hash {
    let answered = link.answer.as_ref().map_or(0, |answer| answer.body.len());
    let mut fed = Vec::with_capacity(1_024 + link.body.len() + answered);
    let mut feed = |bytes: &[u8]| {
        fed.extend((bytes.len() as u64).to_le_bytes());
        fed.extend(bytes);
    };
    feed(previous.as_bytes());
    feed(&link.seq.to_le_bytes());
    feed(&link.virtual_at_ms.to_le_bytes());
    feed(&link.rule.to_le_bytes());
    for text in [link.twin, link.operation, link.fault, link.method, link.path, link.query] {
        feed(text.as_bytes());
    }
    for (name, value) in link.headers.iter().filter(|(name, _)| *name != "host") {
        feed(name.as_bytes());
        feed(value.as_bytes());
    }
    feed(&link.body);
    if let Some(answer) = &link.answer {
        feed(&answer.status.to_le_bytes());
        for (name, value) in &answer.headers {
            feed(name.as_bytes());
            feed(value.as_bytes());
        }
        feed(&answer.body);
    }
    blake3::hash(&fed)
}
