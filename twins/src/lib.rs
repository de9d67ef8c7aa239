//! Digital twins: outside services imitated on loopback, stateful, deterministic, and breakable on purpose.
//!
//! Owns the engine (clock, seeds, faults, idempotency, webhooks, journal, spaces) and one module per service. Never
//! reaches a real service, never reads the wall clock for what it answers, never prints. Knows nothing of scenarios.
//!
//! ```no_run
//! # async fn f() -> Result<(), twins::TwinError> {
//! use twins::{Engine, EngineOptions};
//! let engine = Engine::new(EngineOptions { seed: 7, start_at: jiff::Timestamp::now() });
//! let space = engine.space("checkout", 1);
//! let stripe = space.serve("stripe", serde_json::json!({"account": {"secret_key": "sk_test_shop"}}))?;
//! // … drive the product against `stripe.base_url` …
//! assert_eq!(space.calls("stripe", Some("payment_intents.create")).len(), 1);
//! space.close().await;
//! # Ok(()) }
//! ```
//!
//! A space is the unit of determinism: its clock, ids and journal depend on its seed and its own requests only, so
//! spaces that run beside each other do not disturb each other. Start reading at [`Space`], then `engine::core`
//! (one exchange), `twin` (what a service declares), then a service. Twins that are no Rust: [`definition`] (a YAML file),
//! `stub` (requests that match get a written answer), `tape` (answers of the real service, recorded), [`record`], [`import`]. Clients that do not speak HTTP: `wire`. For clients
//! without a base URL option: [`serve_proxy`].

#![recursion_limit = "256"] // the service objects are long `json!` literals

mod admin;
pub mod definition;
mod drift;
mod engine;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod http;
pub mod import;
mod json;
mod mime;
mod proxy;
mod record;
pub mod script;
mod services;
mod shape;
mod stub;
mod tape;
mod tls;
mod twin;
mod wire;

pub use admin::serve_admin;
pub use drift::{Drift, DriftError, DriftOptions, DriftReport, Verdict, drift};
pub use engine::{
    Engine, EngineOptions,
    fault::{FaultKind, FaultRule, FaultStatus},
    journal::{
        Call, CallQuery, CallRequest, CallResponse, Difference, JournalFlaw, JournalProof, NearMiss, Order,
        verify_journal,
    },
    space::{Served, Snapshot, Space},
};
pub use error::TwinError;
pub use proxy::{ProxyOptions, serve_proxy};
pub use record::{Progress, RecordError, RecordOptions, Recorded, record, recorded_shapes};
pub use shape::{AnswerShape, Shape, Shapes};
pub use tls::Authority;
pub use twin::{RouteInfo, TwinInfo, Violation};

/// Every twin with its operations and actions, in the order of their names: what a lint checks names against.
pub fn catalogue() -> Vec<TwinInfo> {
    services::catalogue()
}

/// Whether a space that serves `twin` would take the rule: for lints.
///
/// # Errors
/// As [`Space::fault`].
pub fn check_fault(twin: &str, rule: FaultRule) -> Result<(), TwinError> {
    let opened = services::open(twin, serde_json::Value::Null)?;
    engine::fault::Faults::default().arm(opened.as_ref(), rule)
}

/// Whether `config` fits `twin`, without serving it: for lints.
///
/// # Errors
/// As [`Space::serve`], except for ports.
pub fn check_config(twin: &str, config: serde_json::Value) -> Result<(), TwinError> {
    services::open(twin, config).map(drop)
}
