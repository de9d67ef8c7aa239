//! The virtual clock of a space: every twin's dates, ids, tokens, signatures and the journal read this one. It moves
//! by one millisecond per request and when it is told to, never by itself, so the same requests give the same bytes.

use jiff::{SignedDuration, Timestamp};

use crate::TwinError;

#[derive(Clone, Debug)]
pub(crate) struct Clock(Timestamp);

impl Clock {
    /// Starts at `start_at`, cut to whole milliseconds.
    pub(crate) fn new(start_at: Timestamp) -> Self {
        Self(Timestamp::from_millisecond(start_at.as_millisecond()).expect("was a timestamp before it was cut"))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0
    }

    pub(crate) fn tick(&mut self) -> Timestamp {
        self.0 = self.0.saturating_add(SignedDuration::from_millis(1)).expect("a signed duration saturates");
        self.0
    }

    /// Time never goes back: ids and cursors are ordered by it.
    pub(crate) fn advance_to(&mut self, to: Timestamp) -> Result<(), TwinError> {
        if to < self.0 {
            return Err(TwinError::ClockBackwards { now: self.0, to });
        }
        *self = Self::new(to);
        Ok(())
    }
}
