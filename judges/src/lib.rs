//! Judges: they decide what no rule decides, and show why they may be believed.
//!
//! Owns: criteria, evidence made safe to show to a model, panels of votes, and the numbers that say how far a judge
//! can be trusted. Asking is a trait ([`Ask`]); everything after the answers is pure. Never knows a provider, a key or
//! the factory. Start at [`judge`].

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod ask;
mod calibration;
mod evidence;
mod panel;
mod prompt;
mod vote;

pub use ask::{Ask, AskError, Prompt};
pub use calibration::{Confusion, Corrected, JudgeQuality, krippendorff_alpha, rogan_gladen};
pub use evidence::{EVIDENCE_BYTES_MAX, EVIDENCE_ITEMS_MAX, Evidence};
pub use panel::{Panel, Unanswered, Verdict, judge, verdict_of};
pub use prompt::Criterion;
pub use vote::{ANSWER_BYTES_MAX, Flaw, Vote};
