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
    #[error("twin `{twin}` cannot listen on port {port}; choose another one, or 0 for a free one")]
    Listen { twin: String, port: u16, source: std::io::Error },
    #[error("twin `{twin}` is served in this space already; use another space for a second one")]
    ServedTwice { twin: String },
    #[error("twin `{twin}` is not served in this space; serve it first")]
    NotServed { twin: String },
    #[error("the fault rule for twin `{twin}` is refused: {why}")]
    FaultRule { twin: String, why: String },
    #[error("twin `{twin}` refuses the action: {why}")]
    Action { twin: String, why: String },
    #[error("`{base}` is no base for webhooks: {why}; write it like http://127.0.0.1:8080")]
    WebhookBase { base: String, why: url::ParseError },
    #[error("{webhooks} webhooks are still on their way; is the receiver answering?")]
    Unsettled { webhooks: usize },
    #[error("the clock cannot go back from {now} to {to}; reset the space instead")]
    ClockBackwards { now: Timestamp, to: Timestamp },
}
