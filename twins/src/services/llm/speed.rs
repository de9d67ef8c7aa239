//! How fast a model writes: configured, never measured.

use std::{num::NonZeroU32, time::Duration};

use serde::Deserialize;

use crate::http::Pace;

const TAKES_MAX: Duration = Duration::from_secs(600); // longer than any client waits

/// All of it is virtual time, unless `real_time` says that the client waits.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::services) struct Speed {
    /// Milliseconds until the first token; 0 where left out.
    first_token_ms: u32,
    /// None: all tokens are there at once.
    tokens_per_second: Option<NonZeroU32>,
    real_time: bool,
}

impl Speed {
    /// None where an answer takes no time.
    pub(super) fn pace(self, output_tokens: u64) -> Option<Pace> {
        let first = Duration::from_millis(self.first_token_ms.into()).min(TAKES_MAX);
        let rest = self.tokens_per_second.map_or(Duration::ZERO, |speed| {
            Duration::from_millis(output_tokens.saturating_mul(1_000) / u64::from(speed.get())).min(TAKES_MAX)
        });
        (first + rest > Duration::ZERO).then_some(Pace { first, rest, real: self.real_time })
    }
}
