use std::path::PathBuf;

use jiff::Timestamp;
use located::Diagnostics;

/// Everything that this crate refuses.
#[derive(Debug, thiserror::Error)]
pub enum TwinError {
    #[error("unknown twin `{twin}`; there are {known}")]
    UnknownTwin { twin: String, known: String },
    #[error("the configuration of twin `{twin}` does not fit: {why}")]
    Config { twin: String, why: String },
    #[error("{0}")]
    Script(Diagnostics),
    #[error("{0}")]
    Definition(Diagnostics),
    #[error("twin `{twin}` cannot listen on port {port}; choose another one, or 0 for a free one")]
    Listen { twin: String, port: u16, source: std::io::Error },
    #[error("twin `{twin}` is served in this space already; use another space for a second one")]
    ServedTwice { twin: String },
    #[error("twin `{twin}` is not served in this space; serve it first")]
    NotServed { twin: String },
    #[error("the fault rule for twin `{twin}` is refused: {why}")]
    FaultRule { twin: String, why: String },
    #[error("the folder {} holds no authority that can be used: {why}", folder.display())]
    Authority { folder: PathBuf, why: String },
    #[error("`{rule}` maps nothing: {why}; write it like api.example.com=TWIN")]
    Mapping { rule: String, why: String },
    #[error("twin `{twin}` refuses the action: {why}")]
    Action { twin: String, why: String },
    #[error("`{base}` is no base for webhooks: {why}; write it like http://127.0.0.1:8080")]
    WebhookBase { base: String, why: url::ParseError },
    #[error("{webhooks} webhooks are still on their way; is the receiver answering?")]
    Unsettled { webhooks: usize },
    #[error("the question about calls is refused: {why}")]
    Query { why: String },
    #[error("{found} of {wanted} calls came in time; the nearest other one: {nearest}")]
    Unseen { wanted: usize, found: usize, nearest: String },
    #[error("`{name}` is no name of a space; write 1 to 64 letters, digits, `-`, `_` and `.`")]
    SpaceName { name: String },
    #[error("{max} named spaces are open already; drop one with DELETE /__twin/spaces/NAME")]
    TooManySpaces { max: usize },
    #[error("there is no space `{name}`; GET /__twin/spaces lists them")]
    NoSuchSpace { name: String },
    #[error("the space `{name}` is there already; drop it first, or choose another name")]
    SpaceExists { name: String },
    #[error("`{header}` is no name of a header; write it like x-twin-space")]
    SpaceHeader { header: String },
    #[error("the clock cannot go back from {now} to {to}; reset the space instead")]
    ClockBackwards { now: Timestamp, to: Timestamp },
}

impl TwinError {
    pub(crate) fn port_taken(twin: &str, port: u16) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Listen { twin: twin.to_owned(), port, source }
    }
}
