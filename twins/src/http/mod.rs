//! The wire: decoding a request, carrying a reply, and breaking both on purpose. Knows nothing of any service.
//!
//! Start at [`server`]; what a twin sees of HTTP is [`Request`] and [`Reply`].

mod broken;
pub(crate) mod connection;
mod fields;
mod form;
pub(crate) mod forward;
mod headers;
mod pace;
mod reply;
mod request;
pub(crate) mod server;
mod sse;
mod upstream;

pub(crate) use broken::{Cut, what_arrives};
pub(crate) use fields::Fields;
pub(crate) use form::nested;
pub(crate) use pace::Pace;
pub(crate) use reply::{Body, Reply};
pub(crate) use request::{Content, Part, Request, parts};
pub(crate) use sse::frames;
