//! Writing the log: one thread for each, which makes all records that wait durable with one `fdatasync`.

use std::{
    fs::File,
    io::{self, Write as _},
};

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::{JournalError, chain::Chain};
use crate::{
    record::TrialRecord,
    report::{Outcome, Report},
    run::{Observer, ObserverError},
};

const WAITING_MAX: usize = 64; // records that share one sync; each is bounded by its evidence

/// Appends to the log of a run. A record counts when the call that hands it over has returned.
#[derive(Debug)]
pub struct RunLog(mpsc::Sender<Waiting>);

#[derive(Debug)]
struct Waiting {
    event: Vec<u8>,
    until: Until,
    kept: oneshot::Sender<io::Result<()>>,
}

/// How far a line has to get before whoever wrote it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// It survives the end of this process.
    Written,
    /// It survives a loss of power.
    OnDisk,
}

/// A line of the log, without its hash.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub(super) enum Event<Record> {
    TrialFinished {
        /// Absent in logs of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
        record: Record,
    },
    RunResumed {
        at: Timestamp,
    },
    RunEnded {
        at: Timestamp,
        outcome: Outcome,
        executed: u32,
        satisfied: u32,
        valid: u32,
        duration_ms: u64,
    },
}

impl RunLog {
    /// Begins a log that is bound to a manifest. That is durable before the first record counts, and trials run
    /// meanwhile.
    pub(super) fn begin(file: File, manifest: File, chain: Chain) -> io::Result<Self> {
        Self::spawn(move |queue| keep(file, chain, manifest.sync_all(), queue))
    }

    /// Goes on from where the chain stands, at the end of the file.
    pub(super) fn append_to(file: File, chain: Chain) -> io::Result<Self> {
        Self::spawn(move |queue| keep(file, chain, Ok(()), queue))
    }

    fn spawn(keep: impl FnOnce(mpsc::Receiver<Waiting>) + Send + 'static) -> io::Result<Self> {
        let (sender, queue) = mpsc::channel(WAITING_MAX);
        std::thread::Builder::new().name("run log".to_owned()).spawn(move || keep(queue))?;
        Ok(Self(sender))
    }

    /// Says that all was run that will be. Nobody waits for the disk: a run that loses this line to a loss of power has
    /// all its records, and resuming it runs nothing again.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub async fn end(&self, report: &Report) -> Result<(), JournalError> {
        let count = report.count();
        let ended = Event::RunEnded {
            at: Timestamp::now(),
            outcome: report.outcome,
            executed: report.executed,
            satisfied: count.satisfied,
            valid: count.valid,
            duration_ms: report.duration_ms,
        };
        self.keep(&ended, Until::Written).await
    }

    pub(super) async fn resumed(&self) -> Result<(), JournalError> {
        self.keep(&Event::RunResumed { at: Timestamp::now() }, Until::OnDisk).await
    }

    async fn keep(&self, event: &Event<&TrialRecord>, until: Until) -> Result<(), JournalError> {
        let event =
            serde_json::to_vec(event).map_err(|error| JournalError::file("log.jsonl".as_ref())(error.into()))?;
        let (kept, done) = oneshot::channel();
        self.0.send(Waiting { event, until, kept }).await.map_err(|_| JournalError::Stopped)?;
        let done = done.await.map_err(|_| JournalError::Stopped)?;
        done.map_err(JournalError::file("log.jsonl".as_ref()))
    }
}

#[async_trait]
impl Observer for RunLog {
    async fn trial_finished(&self, record: &TrialRecord) -> Result<(), ObserverError> {
        Ok(self.keep(&Event::TrialFinished { at: Some(Timestamp::now()), record }, Until::OnDisk).await?)
    }
}

/// `before` is how that ended without which no record may count.
fn keep(mut file: File, mut chain: Chain, mut before: io::Result<()>, mut queue: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(WAITING_MAX);
    let mut lines = Vec::new();
    while queue.blocking_recv_many(&mut batch, WAITING_MAX) > 0 {
        lines.clear();
        batch.iter().for_each(|waiting| chain.append(&waiting.event, &mut lines));
        let before = std::mem::replace(&mut before, Ok(()));
        let written = before.and_then(|()| file.write_all(&lines));
        let is_awaited = batch.iter().any(|waiting| waiting.until == Until::OnDisk);
        let written = if is_awaited { written.and_then(|()| file.sync_data()) } else { written };
        let failure = written.err().map(|error| (error.kind(), error.to_string()));
        for waiting in batch.drain(..) {
            let kept = failure.clone().map_or(Ok(()), |(kind, text)| Err(io::Error::new(kind, text)));
            // Whoever gave up waiting does not count the record.
            waiting.kept.send(kept).ok();
        }
        if failure.is_some() {
            // What follows a torn line could never be read back.
            return;
        }
    }
}
