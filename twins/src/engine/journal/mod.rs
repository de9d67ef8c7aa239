//! What was asked and answered in a space, in one order over all its twins, with a hash chain over everything that
//! decides it. Bounded: the oldest calls leave first, the chain goes on.
//!
//! `call` is how an entry is shown, `chain` what is hashed, `export` the files, `query` the questions.

mod call;
mod chain;
mod export;
mod har;
mod near;
mod query;

use std::{collections::VecDeque, sync::Arc};

use jiff::Timestamp;

pub(crate) use self::har::har;
pub use self::{
    call::{Call, CallRequest, CallResponse},
    export::{JournalFlaw, JournalProof, verify_journal},
    near::{Difference, NearMiss},
    query::{CallQuery, Order},
};
pub(crate) use self::{near::nearest, query::Sought};
use super::fault::FaultKind;
use crate::{
    http::{Reply, Request},
    twin::Violation,
};

const CALLS_MAX: usize = 10_000; // a trial makes tens; a soak test may make more
const BYTES_MAX: usize = 64 * 1024 * 1024; // bodies kept per space
const BLOCK: usize = 32; // entries that a snapshot shares, and that leave memory together

/// A clone shares all blocks, so that a snapshot does not cost what the journal holds.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    blocks: VecDeque<Arc<Vec<Arc<Entry>>>>,
    /// Entries of the first block that have left already.
    left: usize,
    kept: usize,
    bytes: usize,
    next_seq: u64,
    head: blake3::Hash,
}

/// What is recorded of an exchange.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) twin: Arc<str>,
    pub(crate) operation: Option<&'static str>,
    pub(crate) request: Request,
    pub(crate) reply: Option<Arc<Reply>>,
    pub(crate) fault: Option<FaultKind>,
    pub(crate) rule: Option<u32>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) virtual_at: Timestamp,
}

/// A record with its place.
#[derive(Debug)]
pub(crate) struct Entry {
    record: Record,
    /// Of a request that was not performed nothing could be read.
    pub(crate) unread: Option<Vec<String>>,
    /// Counts from 1, over all twins of the space.
    pub(crate) seq: u64,
    previous: blake3::Hash,
    hash: blake3::Hash,
}

impl std::ops::Deref for Entry {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self { blocks: VecDeque::new(), left: 0, kept: 0, bytes: 0, next_seq: 1, head: chain::first() }
    }

    pub(crate) fn record(&mut self, mut record: Record) {
        let unread = record.request.unread();
        record.request.fold();
        let (seq, previous) = (self.next_seq, self.head);
        let hash = chain::hash(&previous, &chain::Link::of(&record, seq));
        let entry = Entry { record, unread, seq, previous, hash };
        self.next_seq += 1;
        self.head = hash;
        self.bytes += entry.size();
        self.kept += 1;
        self.append(Arc::new(entry));
        while self.kept > CALLS_MAX || self.bytes > BYTES_MAX {
            self.forget_oldest();
        }
    }

    fn append(&mut self, entry: Arc<Entry>) {
        match self.blocks.back_mut() {
            Some(last) if last.len() < BLOCK => Arc::make_mut(last).push(entry),
            _ => {
                let mut block = Vec::with_capacity(BLOCK);
                block.push(entry);
                self.blocks.push_back(Arc::new(block));
            }
        }
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.entries().next().map(|entry| entry.size()) else { return };
        self.bytes -= oldest;
        self.kept -= 1;
        self.left += 1;
        if self.left == BLOCK {
            self.blocks.pop_front();
            self.left = 0;
        }
    }

    /// The end of the hash chain: equal heads mean equal histories.
    pub(crate) fn head(&self) -> String {
        self.head.to_hex().to_string()
    }

    /// How many calls were recorded and are not kept any more.
    pub(crate) fn forgotten(&self) -> u64 {
        self.next_seq - 1 - self.kept as u64
    }

    /// What is kept, oldest first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.blocks.iter().flat_map(|block| block.iter()).skip(self.left)
    }

    /// What is kept behind the call number `seq`.
    pub(crate) fn after(&self, seq: u64) -> impl Iterator<Item = &Arc<Entry>> {
        let first = self.next_seq - self.kept as u64;
        let skipped = usize::try_from((seq + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        self.entries().skip(skipped)
    }

    pub(crate) fn of_twin<'a>(&'a self, twin: &'a str) -> impl Iterator<Item = &'a Arc<Entry>> {
        self.entries().filter(move |entry| &*entry.twin == twin)
    }
}

impl Entry {
    fn size(&self) -> usize {
        self.request.body.len() + self.reply.as_ref().map_or(0, |reply| reply.body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn record(body: usize) -> Record {
        let mut request = Request::bare("GET", "/");
        request.body = vec![b'x'; body].into();
        let (fault, rule, virtual_at) = (None, None, Timestamp::UNIX_EPOCH);
        Record {
            twin: "t".into(),
            operation: None,
            request,
            reply: None,
            fault,
            rule,
            violations: Vec::new(),
            virtual_at,
        }
    }

    #[test]
    fn the_oldest_calls_leave_first_and_the_chain_goes_on() {
        let mut journal = Journal::new();
        (0..=CALLS_MAX).for_each(|_| journal.record(record(0)));
        let head = journal.head();
        assert_eq!((journal.kept, journal.entries().count()), (CALLS_MAX, CALLS_MAX));
        assert_eq!(journal.of_twin("t").next().map(|entry| entry.seq), Some(2));
        assert_eq!(
            journal.after(9_990).map(|entry| entry.seq).collect::<Vec<_>>(),
            (9_991..=10_001).collect::<Vec<_>>()
        );
        assert_eq!(journal.after(0).count(), CALLS_MAX);
        journal.record(record(0));
        assert_ne!(journal.head(), head);
    }

    #[test]
    fn large_bodies_push_older_ones_out() {
        let mut journal = Journal::new();
        (0..3).for_each(|_| journal.record(record(BYTES_MAX / 2)));
        assert_eq!((journal.kept, journal.bytes, journal.forgotten()), (2, BYTES_MAX, 1));
    }

    #[test]
    fn a_snapshot_shares_its_blocks_and_does_not_see_later_calls() {
        let mut journal = Journal::new();
        (0..100).for_each(|_| journal.record(record(0)));
        let snapshot = journal.clone();
        journal.record(record(0));
        assert_eq!((snapshot.entries().count(), journal.entries().count()), (100, 101));
        let shared = snapshot.blocks.iter().zip(&journal.blocks).filter(|(one, other)| Arc::ptr_eq(one, other));
        assert_eq!(shared.count(), snapshot.blocks.len() - 1);
    }
}
