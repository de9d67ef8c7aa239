//! The virtual clock of a space: every twin's dates, ids, tokens, signatures and the journal read this one. It moves
//! by one millisecond per request, by what an answer takes, and when it is told to, never by itself, so the same
//! requests give the same bytes.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::TwinError;

#[derive(Clone, Debug)]
pub(crate) struct Clock {
    now: Timestamp,
    /// As headers write it, with the second that it is good for.
    date: (i64, String),
}

impl Clock {
    /// Starts at `start_at`, cut to whole milliseconds.
    pub(crate) fn new(start_at: Timestamp) -> Self {
        let now = Timestamp::from_millisecond(start_at.as_millisecond()).expect("was a timestamp before it was cut");
        Self { now, date: (now.as_second(), http_date(now)) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn tick(&mut self) -> Timestamp {
        self.now = self.now.saturating_add(SignedDuration::from_millis(1)).expect("a signed duration saturates");
        self.now
    }

    /// What a `Date` header says now.
    pub(crate) fn http_date(&mut self) -> &str {
        if self.date.0 != self.now.as_second() {
            self.date = (self.now.as_second(), http_date(self.now));
        }
        &self.date.1
    }

    /// What an answer took; whole milliseconds.
    pub(crate) fn advance_by(&mut self, duration: Duration) {
        let step = SignedDuration::try_from(Duration::from_millis(millis(duration))).unwrap_or(SignedDuration::MAX);
        self.now = self.now.saturating_add(step).expect("a signed duration saturates");
    }

    /// Time never goes back: ids and cursors are ordered by it.
    pub(crate) fn advance_to(&mut self, to: Timestamp) -> Result<(), TwinError> {
        if to < self.now {
            return Err(TwinError::ClockBackwards { now: self.now, to });
        }
        *self = Self::new(to);
        Ok(())
    }
}

/// Whole milliseconds, so that every instant of a space is one.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
