//! A stored event as its row, and the bytes that its hash covers.
//!
//! The canonical bytes are, in this order, every column that says what happened: `factory.event.1`, stream, seq, epoch,
//! id, kind, version, data, actor kind and name, correlation id, causation id, idempotency key, recorded at. Numbers
//! are 8 bytes, big-endian (`recorded_at` in microseconds since 1970); texts and ids follow their length, also 8 bytes;
//! what may be missing has a byte before it, 0 or 1. `data` is the text that was written, byte for byte. Left out are
//! `hash` itself and `xid` and `pos`, which belong to the server and change when a database is moved.

use jiff::Timestamp;
use model::{
    event::{Actor, Body, Draft, Event, StreamId},
    hash::Digest,
};
use sqlx::{FromRow, Row, postgres::PgRow};
use uuid::Uuid;

use crate::error::{Error, signed, unsigned};

const DOMAIN: &[u8] = b"factory.event.1"; // changes with the meaning of any field

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) stream: String,
    pub(crate) seq: u64,
    pub(crate) id: Uuid,
    pub(crate) epoch: u64,
    pub(crate) kind: String,
    pub(crate) version: u16,
    pub(crate) data: String,
    pub(crate) actor_kind: String,
    pub(crate) actor_name: String,
    pub(crate) correlation_id: String,
    pub(crate) causation_id: Option<Uuid>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) recorded_at: Timestamp,
    pub(crate) hash: Digest,
}

/// Where the next event goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) stream: &'a StreamId,
    pub(crate) seq: u64,
    pub(crate) epoch: u64,
    pub(crate) previous: Digest,
    pub(crate) recorded_at: Timestamp,
}

impl Record {
    /// Seals a draft: gives it an id, its place and its hash.
    pub(crate) fn seal(draft: &Draft, place: Place<'_>) -> Self {
        let (actor_kind, actor_name) = actor_columns(&draft.actor);
        let mut record = Self {
            stream: place.stream.as_str().to_owned(),
            seq: place.seq,
            id: Uuid::now_v7(),
            epoch: place.epoch,
            kind: draft.body.kind().to_owned(),
            version: draft.body.version(),
            data: data_text(&draft.body),
            actor_kind: actor_kind.to_owned(),
            actor_name: actor_name.to_owned(),
            correlation_id: correlation_id(place.stream).to_owned(),
            causation_id: draft.causation_id,
            idempotency_key: draft.idempotency_key.clone(),
            recorded_at: place.recorded_at,
            hash: Digest::ZERO,
        };
        record.hash = record.hash_after(place.previous);
        record
    }

    pub(crate) fn hash_after(&self, previous: Digest) -> Digest {
        previous.chain(&self.canonical_bytes())
    }

    fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = Canonical(Vec::with_capacity(256 + self.data.len()));
        bytes.text(DOMAIN);
        bytes.text(self.stream.as_bytes());
        bytes.number(signed(self.seq));
        bytes.number(signed(self.epoch));
        bytes.text(self.id.as_bytes());
        bytes.text(self.kind.as_bytes());
        bytes.number(i64::from(self.version));
        bytes.text(self.data.as_bytes());
        bytes.text(self.actor_kind.as_bytes());
        bytes.text(self.actor_name.as_bytes());
        bytes.text(self.correlation_id.as_bytes());
        bytes.maybe(self.causation_id.as_ref().map(|id| id.as_bytes().as_slice()));
        bytes.maybe(self.idempotency_key.as_deref().map(str::as_bytes));
        bytes.number(self.recorded_at.as_microsecond());
        bytes.0
    }

    /// The event as the rest of the factory knows it.
    pub(crate) fn into_event(self) -> Result<Event, Error> {
        let body = match body_of(&self.kind, &self.data) {
            Ok(body) => body,
            Err(source) => return Err(Error::Unreadable { stream: self.stream, seq: self.seq, source }),
        };
        Ok(Event {
            id: self.id,
            stream: StreamId::from_stored(self.stream),
            seq: self.seq,
            epoch: self.epoch,
            body,
            version: self.version,
            actor: actor_of(&self.actor_kind, self.actor_name),
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            recorded_at: self.recorded_at,
            hash: self.hash,
        })
    }
}

struct Canonical(Vec<u8>);

impl Canonical {
    fn number(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.0.extend_from_slice(&(text.len() as u64).to_be_bytes());
        self.0.extend_from_slice(text);
    }

    fn maybe(&mut self, text: Option<&[u8]>) {
        self.0.push(u8::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }
}

/// What the database keeps: it has microseconds, and the hash must be the same after reading back.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_microsecond(Timestamp::now().as_microsecond()).expect("an instant stays one without nanoseconds")
}

/// A run's streams belong to the run: its own, and the sealed one.
pub(crate) fn correlation_id(stream: &StreamId) -> &str {
    stream.as_str().strip_prefix("sealed:").unwrap_or(stream.as_str())
}

/// `{"type":"<kind>","data":<this>}`
fn data_text(body: &Body) -> String {
    let mut whole = serde_json::to_string(body).expect("bodies hold only strings as keys");
    let before = format!(r#"{{"type":"{}","data":"#, body.kind());
    debug_assert!(whole.starts_with(&before), "serde writes the tag first");
    whole.pop();
    whole.drain(..before.len());
    whole
}

fn body_of(kind: &str, data: &str) -> serde_json::Result<Body> {
    serde_json::from_str(&format!(r#"{{"type":{},"data":{data}}}"#, serde_json::Value::from(kind)))
}

fn actor_columns(actor: &Actor) -> (&'static str, &str) {
    match actor {
        Actor::User(name) => ("user", name),
        Actor::Agent(name) => ("agent", name),
        Actor::Service(name) => ("service", name),
    }
}

fn actor_of(kind: &str, name: String) -> Actor {
    match kind {
        "user" => Actor::User(name),
        "agent" => Actor::Agent(name),
        _ => Actor::Service(name), // the schema allows no fourth
    }
}

/// The columns of a [`Record`], for every query that reads events.
macro_rules! record_columns {
    () => {
        "stream, seq, id, epoch, kind, version, data::text as data, actor_kind, actor_name, correlation_id, \
         causation_id, idempotency_key, recorded_at, hash"
    };
}
pub(crate) use record_columns;

impl FromRow<'_, PgRow> for Record {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let number = |column| row.try_get::<i64, _>(column).map(unsigned);
        Ok(Self {
            stream: row.try_get("stream")?,
            seq: number("seq")?,
            id: row.try_get("id")?,
            epoch: number("epoch")?,
            kind: row.try_get("kind")?,
            version: u16::try_from(row.try_get::<i16, _>("version")?).unwrap_or(0),
            data: row.try_get("data")?,
            actor_kind: row.try_get("actor_kind")?,
            actor_name: row.try_get("actor_name")?,
            correlation_id: row.try_get("correlation_id")?,
            causation_id: row.try_get("causation_id")?,
            idempotency_key: row.try_get("idempotency_key")?,
            recorded_at: row.try_get::<jiff_sqlx::Timestamp, _>("recorded_at")?.to_jiff(),
            hash: digest(row.try_get("hash")?),
        })
    }
}

/// Of a column that the schema holds at 32 bytes.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    bytes.try_into().map_or(Digest::ZERO, Digest::from_bytes)
}

#[cfg(test)]
mod tests {
    use model::event::run::NodeArrived;

    use super::*;

    fn record() -> Record {
        let body = NodeArrived { node: "build \u{0} \"ü\"".into(), from: None };
        let draft = Draft::service("engine", body).once("key");
        let stream = StreamId::from_stored("sealed:run_1".into());
        Record::seal(&draft, Place { stream: &stream, seq: 3, epoch: 2, previous: Digest::ZERO, recorded_at: now() })
    }

    #[test]
    fn a_sealed_record_reads_back_as_the_event_it_was() {
        let record = record();
        let event = record.clone().into_event().unwrap();
        assert_eq!(data_text(&event.body), record.data);
        assert_eq!((event.seq, event.epoch, event.correlation_id.as_str()), (3, 2, "run_1"));
        assert_eq!(event.hash, record.hash_after(Digest::ZERO));
    }

    /// AO-45: nothing that says what happened can change without the hash.
    #[test]
    fn every_column_is_covered_by_the_hash() {
        let original = record();
        let changes: [fn(&mut Record); 13] = [
            |r| r.stream.push('x'),
            |r| r.seq += 1,
            |r| r.id = Uuid::nil(),
            |r| r.epoch += 1,
            |r| r.kind.push('x'),
            |r| r.version += 1,
            |r| r.data.push(' '),
            |r| r.actor_kind = "user".into(),
            |r| r.actor_name.push('x'),
            |r| r.correlation_id.push('x'),
            |r| r.causation_id = Some(Uuid::nil()),
            |r| r.idempotency_key = None,
            |r| r.recorded_at += jiff::SignedDuration::from_micros(1),
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let mut changed = original.clone();
            change(&mut changed);
            assert_ne!(changed.hash_after(Digest::ZERO), original.hash, "change {n} is not covered");
        }
    }

    #[test]
    fn bytes_cannot_move_from_one_column_to_the_next() {
        let (mut one, mut other) = (record(), record());
        (one.actor_kind, one.actor_name) = ("user".into(), "xa".into());
        other.clone_from(&one);
        (other.actor_kind, other.actor_name) = ("userx".into(), "a".into());
        assert_ne!(one.hash_after(Digest::ZERO), other.hash_after(Digest::ZERO));
    }
}
