//! Steering a session from outside while it runs, and what stops it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use model::event::agent::EndReason;
use tokio_util::sync::CancellationToken;

use crate::millis;

const MESSAGES_MAX: usize = 64; // of each kind: a person does not type faster than a turn takes

/// A handle on a running session. Clones act on the same one.
#[derive(Clone, Debug, Default)]
pub struct Control(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cancelled: CancellationToken,
    steers: Mutex<VecDeque<String>>,
    follow_ups: Mutex<VecDeque<String>>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{MESSAGES_MAX} messages wait for the session already; wait until it has read some")]
pub struct ControlFull;

impl Control {
    /// Lands after the current round of tools.
    pub fn steer(&self, text: impl Into<String>) -> Result<(), ControlFull> {
        push(&self.0.steers, text.into())
    }

    /// Lands when the session would otherwise end.
    pub fn follow_up(&self, text: impl Into<String>) -> Result<(), ControlFull> {
        push(&self.0.follow_ups, text.into())
    }

    /// Ends the session now: a running request is closed, a running tool killed.
    pub fn cancel(&self) {
        self.0.cancelled.cancel();
    }

    pub(super) fn next_steer(&self) -> Option<String> {
        lock(&self.0.steers).pop_front()
    }

    pub(super) fn next_follow_up(&self) -> Option<String> {
        lock(&self.0.follow_ups).pop_front()
    }

    pub(crate) fn cancelled(&self) -> &CancellationToken {
        &self.0.cancelled
    }
}

fn push(queue: &Mutex<VecDeque<String>>, text: String) -> Result<(), ControlFull> {
    let mut queue = lock(queue);
    if queue.len() >= MESSAGES_MAX {
        return Err(ControlFull);
    }
    queue.push_back(text);
    Ok(())
}

fn lock(queue: &Mutex<VecDeque<String>>) -> MutexGuard<'_, VecDeque<String>> {
    // A queue of texts is whole whatever happened to who held it.
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What may stop a session in the middle of a request or a tool: a person, or the wall time.
pub(super) struct Halt<'a> {
    control: &'a Control,
    started: Instant,
    elapsed_before: Duration,
    wall_time: Option<Duration>,
}

impl<'a> Halt<'a> {
    pub(super) fn new(control: &'a Control, wall_time_ms: Option<u64>, elapsed_before_ms: u64) -> Self {
        Self {
            control,
            started: Instant::now(),
            elapsed_before: Duration::from_millis(elapsed_before_ms),
            wall_time: wall_time_ms.map(Duration::from_millis),
        }
    }

    pub(super) fn reason(&self) -> Option<EndReason> {
        if self.control.cancelled().is_cancelled() {
            return Some(EndReason::Cancelled);
        }
        self.wall_time.is_some_and(|most| self.elapsed() >= most).then_some(EndReason::Budget)
    }

    pub(super) fn elapsed_ms(&self) -> u64 {
        millis(self.elapsed())
    }

    /// Resolves when the session must stop; for ever pending where nothing can stop it.
    pub(super) async fn halted(&self) {
        let left = self.wall_time.map(|most| most.saturating_sub(self.elapsed()));
        let time_is_up = async {
            match left {
                Some(left) => tokio::time::sleep(left).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.control.cancelled().cancelled() => {}
            () = time_is_up => {}
        }
    }

    fn elapsed(&self) -> Duration {
        self.elapsed_before + self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_in_order_and_the_queue_is_bounded() {
        let control = Control::default();
        for n in 0..MESSAGES_MAX {
            control.steer(n.to_string()).unwrap();
        }
        assert_eq!(control.steer("one more"), Err(ControlFull));
        assert_eq!(control.next_steer().as_deref(), Some("0"));
        assert_eq!(control.next_follow_up(), None);
    }
}
