use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tls::Handshake;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A connection is accepted and reset before a byte is read. Counts connections, not requests.
    Refuse,
    /// Over TLS: the handshake ends with an alert. Counts handshakes, as all of its family do.
    TlsRefuse,
    /// Over TLS: the certificate is that of another host.
    TlsWrongHost,
    /// Over TLS: the certificate has expired.
    TlsExpired,
    /// Over TLS: the certificate is signed by an authority that nobody knows.
    TlsUntrusted,
    /// Never answers; the operation does not happen.
    Hang,
    /// The connection is reset; the operation does not happen.
    Reset,
    /// The connection ends without a byte; the operation does not happen.
    Close,
    /// Something that is no HTTP arrives and the connection ends; the operation does not happen.
    Garbage,
    /// The operation happens, then the connection is reset.
    RefuseAfterCommit,
    /// The operation happens and is answered late; with `at_event`, a stream pauses before that event.
    Latency,
    /// The operation happens; the answer comes in small pieces: `bytes` every `interval_ms`.
    Dribble,
    /// The service's own error body with `status`; the operation does not happen.
    Status,
    /// The service's own 429 with `Retry-After`; the operation does not happen.
    RateLimit,
    /// As `rate_limit`, for what is more than `limit` requests in `window_ms` of virtual time.
    Quota,
    /// The operation happens, then nothing is answered.
    TimeoutAfterCommit,
    /// The operation happens; the body does not parse.
    MalformedJson,
    /// The operation happens; half of the answer comes in a chunk, then one whose size is no number.
    MalformedChunk,
    /// The operation happens; the connection closes in the middle of the body, after `after_bytes` or before `at_event`.
    CutBody,
    /// The operation happens once; the whole answer is sent twice, and the connection ends.
    Duplicate,
    /// The service's own answer to an expired credential; the operation does not happen.
    AuthExpired,
    /// Answers from the state as it was `lag_calls` or `lag_ms` of virtual time ago. What the operation would write is
    /// lost, so that `*` hits GET and HEAD only.
    StaleRead,
    /// In a stream: event `at_event` is broken off in the middle, and the stream goes on.
    MalformedEvent,
    /// In a stream: all but the last event, which says that it was the last.
    MissingEnd,
    /// In a stream that began well: the service's own error event for `status` instead of event `at_event`, and the end.
    ErrorEvent,
    /// A webhook leaves `delay_ms` later.
    WebhookDelayed,
    /// A webhook is delivered `times` times: 2 where left out.
    WebhookDuplicated,
    /// A webhook lets those overtake it that happen right after it.
    WebhookReordered,
    /// A webhook is signed with another secret; where the receiver refuses it, it comes again signed well.
    WebhookWronglySigned,
    /// A webhook comes without a signature; where the receiver refuses it, it comes again signed well.
    WebhookUnsigned,
    /// A webhook's signature is an hour old; where the receiver refuses it, it comes again freshly signed.
    WebhookStale,
    /// The first attempt at a webhook is lost; it comes again as after a refusal.
    WebhookDropped,
}

/// What a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Connections,
    /// Connections over TLS, when the client has said whom it wants.
    Handshakes,
    Requests,
    /// Requests whose answer is a stream.
    Streams,
    Webhooks,
}

impl FaultKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::TlsRefuse => "tls_refuse",
            Self::TlsWrongHost => "tls_wrong_host",
            Self::TlsExpired => "tls_expired",
            Self::TlsUntrusted => "tls_untrusted",
            Self::Hang => "hang",
            Self::Reset => "reset",
            Self::Close => "close",
            Self::Garbage => "garbage",
            Self::RefuseAfterCommit => "refuse_after_commit",
            Self::Latency => "latency",
            Self::Dribble => "dribble",
            Self::Status => "status",
            Self::RateLimit => "rate_limit",
            Self::Quota => "quota",
            Self::TimeoutAfterCommit => "timeout_after_commit",
            Self::MalformedJson => "malformed_json",
            Self::MalformedChunk => "malformed_chunk",
            Self::CutBody => "cut_body",
            Self::Duplicate => "duplicate",
            Self::AuthExpired => "auth_expired",
            Self::StaleRead => "stale_read",
            Self::MalformedEvent => "malformed_event",
            Self::MissingEnd => "missing_end",
            Self::ErrorEvent => "error_event",
            Self::WebhookDelayed => "webhook_delayed",
            Self::WebhookDuplicated => "webhook_duplicated",
            Self::WebhookReordered => "webhook_reordered",
            Self::WebhookWronglySigned => "webhook_wrongly_signed",
            Self::WebhookUnsigned => "webhook_unsigned",
            Self::WebhookStale => "webhook_stale",
            Self::WebhookDropped => "webhook_dropped",
        }
    }

    pub(crate) fn target(self) -> Target {
        match self {
            Self::Refuse => Target::Connections,
            Self::TlsRefuse | Self::TlsWrongHost | Self::TlsExpired | Self::TlsUntrusted => Target::Handshakes,
            Self::MalformedEvent | Self::MissingEnd | Self::ErrorEvent => Target::Streams,
            Self::WebhookDelayed
            | Self::WebhookDuplicated
            | Self::WebhookReordered
            | Self::WebhookWronglySigned
            | Self::WebhookUnsigned
            | Self::WebhookStale
            | Self::WebhookDropped => Target::Webhooks,
            _ => Target::Requests,
        }
    }

    /// Whether it means nothing where clients speak something else.
    pub(crate) fn is_about_http(self) -> bool {
        matches!(self, Self::MalformedJson | Self::MalformedChunk) || self.target() == Target::Streams
    }

    /// What becomes of the handshake.
    pub(crate) fn handshake(self) -> Handshake {
        match self {
            Self::TlsRefuse => Handshake::Refused,
            Self::TlsWrongHost => Handshake::WrongHost,
            Self::TlsExpired => Handshake::Expired,
            Self::TlsUntrusted => Handshake::Untrusted,
            _ => Handshake::Sound,
        }
    }

    /// Whether the operation happens.
    pub(crate) fn performs(self) -> bool {
        match self.target() {
            Target::Connections | Target::Handshakes => false,
            Target::Streams | Target::Webhooks => true,
            Target::Requests => matches!(
                self,
                Self::RefuseAfterCommit
                    | Self::Latency
                    | Self::Dribble
                    | Self::TimeoutAfterCommit
                    | Self::MalformedJson
                    | Self::MalformedChunk
                    | Self::CutBody
                    | Self::Duplicate
            ),
        }
    }
}
