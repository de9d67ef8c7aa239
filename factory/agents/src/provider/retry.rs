//! When to ask a model again: exponential waits with jitter, and the provider's own wish where it states one.

use std::time::Duration;

use super::{ProviderConfig, TurnFailure};

const WAIT_MAX: Duration = Duration::from_secs(60); // a longer wish ends the turn: a person can wait better than a lease
const JITTER: std::ops::Range<f64> = 0.5..1.5;

/// The attempts of one turn.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    attempts_left: u32,
    next_wait: Duration,
}

impl Backoff {
    pub(crate) fn new(config: &ProviderConfig) -> Self {
        Self { attempts_left: config.retries_max, next_wait: Duration::from_millis(config.retry_base_ms) }
    }

    /// How long to wait before the next attempt; `None` to give up.
    pub(crate) fn after(&mut self, failure: &TurnFailure) -> Option<Duration> {
        if !failure.retryable || self.attempts_left == 0 {
            return None;
        }
        self.attempts_left -= 1;
        let own = self.next_wait.mul_f64(rand::random_range(JITTER)).min(WAIT_MAX);
        self.next_wait = (self.next_wait * 2).min(WAIT_MAX);
        match failure.retry_after {
            Some(asked) if asked > WAIT_MAX => None,
            Some(asked) => Some(asked),
            None => Some(own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{FailureKind, Provider};

    fn backoff() -> Backoff {
        Backoff::new(&ProviderConfig::new(Provider::Anthropic, "m", crate::Secret::default()))
    }

    fn failure(retryable: bool, retry_after: Option<Duration>) -> TurnFailure {
        TurnFailure { kind: FailureKind::RateLimited, retryable, retry_after, delivered: false, message: String::new() }
    }

    #[test]
    fn two_retries_with_doubling_jittered_waits() {
        let mut backoff = backoff();
        let first = backoff.after(&failure(true, None)).unwrap().as_secs_f64();
        let second = backoff.after(&failure(true, None)).unwrap().as_secs_f64();
        assert!((0.5..1.5).contains(&first), "{first}");
        assert!((1.0..3.0).contains(&second), "{second}");
        assert_eq!(backoff.after(&failure(true, None)), None);
    }

    #[test]
    fn the_providers_wish_is_honoured_up_to_the_cap() {
        let asked = Some(Duration::from_secs(7));
        assert_eq!(backoff().after(&failure(true, asked)), asked);
        assert_eq!(backoff().after(&failure(true, Some(Duration::from_secs(61)))), None);
    }

    #[test]
    fn a_permanent_failure_is_never_retried() {
        assert_eq!(backoff().after(&failure(false, None)), None);
    }
}
