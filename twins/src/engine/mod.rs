//! The part every twin inherits: spaces, the clock, seeds, faults, idempotency, webhooks and the journal.
//!
//! Start at [`Engine::space`], then `core` (one exchange, from the decoded request to the planned answer).

pub(crate) mod act;
pub(crate) mod cell;
pub(crate) mod clock;
pub(crate) mod core;
pub(crate) mod courier;
pub(crate) mod door;
pub(crate) mod fault;
pub(crate) mod idempotency;
pub(crate) mod journal;
pub(crate) mod outbox;
pub(crate) mod rooms;
pub(crate) mod routes;
pub(crate) mod seed;
pub(crate) mod shared;
pub(crate) mod space;
pub(crate) mod stale;
pub(crate) mod table;
pub(crate) mod thread;
pub(crate) mod verify;

use jiff::Timestamp;

use self::{seed::Seed, space::Space};

/// What every space of an engine starts from.
#[derive(Clone, Copy, Debug)]
pub struct EngineOptions {
    /// The root of all randomness; the same seed and the same requests give the same bytes.
    pub seed: u64,
    /// Where the virtual clock of each space starts.
    pub start_at: Timestamp,
}

/// Makes spaces. Spaces share nothing.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    options: EngineOptions,
}

impl Engine {
    pub fn new(options: EngineOptions) -> Self {
        Self { options }
    }

    /// An isolated world of twins with its own clock, state and journal. `seed` tells trials of the same name apart.
    ///
    /// Costs microseconds; listeners are bound by [`Space::serve`].
    pub fn space(&self, name: &str, seed: u64) -> Space {
        let root = Seed::root(self.options.seed).child(name).child(&seed.to_string());
        Space::new(name, root, self.options.start_at)
    }
}
