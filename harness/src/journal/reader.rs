//! Reading a stored run back, line by line, in bounded memory; the chain is checked on the way.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use jiff::Timestamp;

use super::{JournalError, LOG, MANIFEST, Manifest, RunLog, chain::Chain, writer::Event};
use crate::{
    record::{TRIAL_EVIDENCE_BYTES_MAX, TrialRecord},
    report::Outcome,
};

const MANIFEST_BYTES_MAX: u64 = 64 * 1024 * 1024; // 100,000 scenarios of a long title each
const LINE_BYTES_MAX: u64 = 8 * TRIAL_EVIDENCE_BYTES_MAX as u64; // its evidence, and what else very many steps tell
const ENDING_BYTES_MAX: u64 = 4 * 1024; // far above the line that ends a log

/// A run on disk.
#[derive(Debug)]
pub struct StoredRun {
    dir: PathBuf,
    manifest: Manifest,
    anchor: Chain,
}

/// How a run ended, as its log says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Ending {
    pub at: Timestamp,
    pub outcome: Outcome,
    pub executed: u32,
    pub satisfied: u32,
    pub valid: u32,
    pub duration_ms: u64,
}

impl StoredRun {
    /// Opens the folder of a run.
    ///
    /// # Errors
    /// Where it is none.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join(MANIFEST);
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(JournalError::file(&path))?;
        file.take(MANIFEST_BYTES_MAX).read_to_end(&mut bytes).map_err(JournalError::file(&path))?;
        let refused = |reason: String| JournalError::Manifest { path: path.clone(), reason };
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| refused(error.to_string()))?;
        manifest.check().map_err(refused)?;
        Ok(Self { dir: dir.to_owned(), manifest, anchor: Chain::anchored(&bytes) })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// When the last line of its log was written.
    ///
    /// # Errors
    /// Where the log is gone.
    pub fn last_written(&self) -> Result<SystemTime, JournalError> {
        let path = self.dir.join(LOG);
        std::fs::metadata(&path).and_then(|log| log.modified()).map_err(JournalError::file(&path))
    }

    /// The records in the order in which they were kept, checked against the chain as they are read.
    ///
    /// # Errors
    /// Where there is no log. What is wrong in the log is an item, the last one.
    pub fn records(&self) -> Result<Records, JournalError> {
        let path = self.log_path();
        let file = File::open(&path).map_err(JournalError::file(&path))?;
        Ok(Records {
            reader: BufReader::with_capacity(256 * 1024, file),
            chain: self.anchor,
            path,
            line: 0,
            whole_bytes: 0,
            ending: None,
            worked: Worked::since(self.manifest.roster.started_at),
            buffer: Vec::new(),
            is_over: false,
        })
    }

    /// How it ended by its last line, which is not checked; `None` where it has not ended.
    pub fn ending(&self) -> Option<Ending> {
        let mut file = File::open(self.log_path()).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(ENDING_BYTES_MAX))).ok()?;
        let mut bytes = Vec::new();
        file.take(ENDING_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        let last = bytes.strip_suffix(b"\n")?.rsplit(|byte| *byte == b'\n').next()?;
        ending(&serde_json::from_slice::<Event<serde::de::IgnoredAny>>(last).ok()?)
    }

    /// Reads the whole log.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn verify(&self) -> Result<u64, JournalError> {
        self.records()?.try_fold(0, |count, record| record.map(|_| count + 1))
    }

    /// Opens the log to go on where it ended. A torn last line is cut off.
    ///
    /// # Errors
    /// Where the log is wrong, or another process writes it.
    pub async fn resume(&self) -> Result<RunLog, JournalError> {
        let path = self.log_path();
        let file = File::options().read(true).append(true).open(&path).map_err(JournalError::file(&path))?;
        file.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => JournalError::Busy { id: self.manifest.id.clone() },
            std::fs::TryLockError::Error(source) => JournalError::File { path: path.clone(), source },
        })?;
        let mut records = self.records()?;
        records.by_ref().try_for_each(|record| record.map(drop))?;
        file.set_len(records.whole_bytes).map_err(JournalError::file(&path))?;
        let log = RunLog::append_to(file, records.chain).map_err(JournalError::file(&path))?;
        log.resumed().await?;
        Ok(log)
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join(LOG)
    }
}

/// The records of a log, one by one.
#[derive(Debug)]
pub struct Records {
    reader: BufReader<File>,
    chain: Chain,
    path: PathBuf,
    line: usize,
    whole_bytes: u64,
    ending: Option<Ending>,
    worked: Worked,
    buffer: Vec<u8>,
    is_over: bool,
}

impl Records {
    /// How the run ended; known when all records are read.
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// How long the run took or, where it has not ended, how long it ran until its last record.
    pub fn duration(&self) -> Duration {
        self.ending.as_ref().map_or_else(|| self.worked.total(), |ending| Duration::from_millis(ending.duration_ms))
    }

    /// The next whole line, without its end. A torn last line is none.
    fn next_line(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        let read = (&mut self.reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut self.buffer)? as u64;
        if self.buffer.pop() != Some(b'\n') {
            let is_too_long = read == LINE_BYTES_MAX;
            return if is_too_long { Err(io::Error::other("a line is too long")) } else { Ok(false) };
        }
        self.line += 1;
        self.whole_bytes += read;
        Ok(true)
    }

    fn step(&mut self) -> Result<Option<TrialRecord>, JournalError> {
        let tampered =
            |line, reason: String, path: &Path| JournalError::Tampered { path: path.to_owned(), line, reason };
        while self.next_line().map_err(JournalError::file(&self.path))? {
            let followed = self.chain.follow(&self.buffer);
            followed.map_err(|reason| tampered(self.line, reason.to_owned(), &self.path))?;
            let event = serde_json::from_slice(&self.buffer);
            let event: Event<TrialRecord> = event
                .map_err(|error| tampered(self.line, format!("this is no event of a run: {error}"), &self.path))?;
            self.ending = ending(&event);
            self.worked.see(&event);
            if let Event::TrialFinished { record, .. } = event {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}

impl Iterator for Records {
    type Item = Result<TrialRecord, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let next = self.step().transpose();
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}

/// The time in which a run was at work, by the instants in its log: pauses before it was resumed are none.
#[derive(Clone, Copy, Debug)]
struct Worked {
    before: Duration,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Worked {
    fn since(started_at: Option<Timestamp>) -> Self {
        Self { before: Duration::ZERO, since: started_at, until: None }
    }

    fn see<Record>(&mut self, event: &Event<Record>) {
        match *event {
            Event::TrialFinished { at: Some(at), .. } => self.until = Some(at),
            Event::RunResumed { at } => *self = Self { before: self.total(), since: Some(at), until: None },
            Event::TrialFinished { at: None, .. } | Event::RunEnded { .. } => {}
        }
    }

    fn total(self) -> Duration {
        let span = self.since.zip(self.until).map(|(since, until)| until.duration_since(since));
        // A clock that was set back tells nothing.
        self.before + span.and_then(|span| Duration::try_from(span).ok()).unwrap_or_default()
    }
}

fn ending<Record>(event: &Event<Record>) -> Option<Ending> {
    match *event {
        Event::RunEnded { at, outcome, executed, satisfied, valid, duration_ms } => {
            Some(Ending { at, outcome, executed, satisfied, valid, duration_ms })
        }
        Event::TrialFinished { .. } | Event::RunResumed { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Event, Worked};

    #[test]
    fn a_run_worked_until_its_last_record_and_not_while_it_was_interrupted() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let finished = |second| Event::TrialFinished { at: Some(at(second)), record: () };
        let mut worked = Worked::since(Some(at(100)));
        assert_eq!(worked.total(), Duration::ZERO);
        for event in [finished(103), finished(107), Event::RunResumed { at: at(1_000) }, finished(1_005)] {
            worked.see(&event);
        }
        assert_eq!(worked.total(), Duration::from_secs(12));
        worked.see(&finished(999));
        assert_eq!(worked.total(), Duration::from_secs(7), "a clock that was set back adds nothing");
        worked.see(&Event::TrialFinished { at: None, record: () });
        assert_eq!(worked.total(), Duration::from_secs(7));
    }
}
