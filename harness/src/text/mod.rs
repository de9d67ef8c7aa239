//! What people write into scenario files: values that remember their place, templates, durations. Knows YAML's places
//! and the template language; knows no scenario. Start at [`Node`], then [`Scope`].

mod bounded;
mod constants;
mod engine;
mod functions;
mod node;
mod operations;
mod period;
mod placed;
mod random;
mod template;
mod typed;

pub(crate) use functions::FUNCTIONS;
pub(crate) use node::{Node, NodeKind, walk_texts};
pub(crate) use period::Period;
pub(crate) use placed::{Entries, Placed, Text, given};
pub(crate) use random::Random;
pub(crate) use template::{RenderError, Scope, check_node, check_text, undeclared};
pub(crate) use typed::typed;
