//! Idempotency keys: the same key and parameters give the first answer again, other parameters are refused, and a
//! key whose first answer is still on its way is in use.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::table::Table;
use crate::http::{Content, Reply, Request};

const KEYS_MAX: usize = 10_000; // the oldest is forgotten first
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24); // of virtual time

/// How a service does it.
#[derive(Clone, Copy)]
pub(crate) struct IdempotencyRule {
    pub(crate) header: &'static str,
    pub(crate) method: &'static str,
    pub(crate) key_chars_max: usize,
    /// Which first answers are kept, by status; a request that failed validation may be sent again.
    pub(crate) keeps: fn(u16) -> bool,
    /// Marks an answer that is not the first.
    pub(crate) replayed: (&'static str, &'static str),
}

#[derive(Clone, Default)]
pub(crate) struct Memory {
    kept: Table<Kept>,
    /// Answers on their way, by key.
    in_use: BTreeMap<String, u32>,
}

struct Kept {
    path: String,
    content: Content,
    reply: Reply,
    at: Timestamp,
}

pub(crate) enum Recall {
    Fresh,
    Replay(Reply),
    Mismatch { first_path: String },
    InUse,
}

impl Memory {
    pub(crate) fn recall(&self, key: &str, request: &Request, now: Timestamp) -> Recall {
        if self.in_use.contains_key(key) {
            return Recall::InUse;
        }
        match self.kept.get(key).filter(|kept| now.duration_since(kept.at) < KEPT_FOR) {
            None => Recall::Fresh,
            Some(kept) if kept.path == request.path && kept.content == request.content => {
                Recall::Replay(kept.reply.clone())
            }
            Some(kept) => Recall::Mismatch { first_path: kept.path.clone() },
        }
    }

    pub(crate) fn keep(&mut self, key: &str, request: &Request, reply: Reply, now: Timestamp) {
        // One that has expired starts anew, as the youngest.
        self.kept.remove(key);
        if self.kept.len() == KEYS_MAX {
            self.kept.remove_oldest();
        }
        let kept = Kept { path: request.path.clone(), content: request.content.clone(), reply, at: now };
        self.kept.insert(key, kept);
    }

    /// The answer to this key is on its way from now on.
    pub(crate) fn take(&mut self, key: &str) {
        *self.in_use.entry(key.to_owned()).or_default() += 1;
    }

    /// In a copy of a space no answer is on its way.
    pub(crate) fn free_all(&mut self) {
        self.in_use.clear();
    }

    pub(crate) fn free(&mut self, key: &str) {
        if let Some(count) = self.in_use.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                self.in_use.remove(key);
            }
        }
    }
}
