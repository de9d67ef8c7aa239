//! What a stub answers: made once where it is always the same, else from the request.

use std::time::Duration;

use axum::body::Bytes;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::header::{HeaderName, HeaderValue};

use super::format::{AnswerFile, BrokenWire, DelayFile, DribbleFile};
use crate::{
    definition::template::{Node, Scope, Templates, Text},
    engine::core::Transport,
    http::Reply,
};

const DELAY_MAX: Duration = Duration::from_secs(60); // of one answer
const PIECES_MAX: u64 = 10_000;

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, Text)>,
    body: Content,
    delay: Option<DelayFile>,
    dribble: Option<DribbleFile>,
    fault: Option<BrokenWire>,
}

#[derive(Clone, Debug)]
enum Content {
    Empty,
    Bytes(Bytes),
    /// JSON that never changes.
    Json(Bytes),
    Node(Node),
    Text(Text),
}

impl AnswerFile {
    pub(crate) fn compile(&self, templates: &mut Templates) -> Result<Answer, String> {
        let status = self.status.unwrap_or(200);
        if !(200..=599).contains(&status) {
            return Err(format!("{status} is no status of an answer; write 200 to 599"));
        }
        let mut text = |text: &str| if self.literal { Ok(Text::Plain(text.to_owned())) } else { templates.text(text) };
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            let name_is_one = HeaderName::try_from(name.as_str()).is_ok();
            let value = text(value)?;
            let value_is_one = match &value {
                Text::Plain(plain) => HeaderValue::try_from(plain.as_str()).is_ok(),
                Text::Template(_) => true,
            };
            if !name_is_one || !value_is_one {
                return Err(format!("`{name}` is no header, or its value cannot be sent"));
            }
            headers.push((name.to_lowercase(), value));
        }
        // The length and the framing are the transport's.
        headers.retain(|(name, _)| !matches!(name.as_str(), "content-length" | "transfer-encoding" | "connection"));
        let body = self.content(templates)?;
        if self.dribble.is_some_and(|dribble| dribble.pieces == 0 || dribble.pieces > PIECES_MAX) {
            return Err(format!("a body dribbles in 1 to {PIECES_MAX} pieces"));
        }
        let (delay, dribble, fault) = (self.delay, self.dribble, self.fault);
        Ok(Answer { status, headers, body, delay, dribble, fault })
    }

    fn content(&self, templates: &mut Templates) -> Result<Content, String> {
        Ok(match (&self.body, &self.text, &self.base64) {
            (None, None, None) => Content::Empty,
            (Some(json), None, None) => {
                let node = if self.literal { Node::Plain(json.clone()) } else { templates.node(json)? };
                match node {
                    Node::Plain(json) => Content::Json(json.to_string().into()),
                    node => Content::Node(node),
                }
            }
            (None, Some(text), None) if self.literal => Content::Bytes(text.clone().into()),
            (None, Some(text), None) => match templates.text(text)? {
                Text::Plain(text) => Content::Bytes(text.into()),
                template @ Text::Template(_) => Content::Text(template),
            },
            (None, None, Some(encoded)) => {
                let bytes = STANDARD.decode(encoded.trim()).map_err(|error| format!("`base64` is none: {error}"))?;
                Content::Bytes(bytes.into())
            }
            _ => return Err("an answer has one of `body`, `text` and `base64`".to_owned()),
        })
    }
}

impl Answer {
    pub(crate) fn reply(&self, scope: &Scope<'_>) -> Result<Reply, String> {
        let mut reply = match &self.body {
            Content::Empty => Reply::empty(self.status),
            Content::Bytes(bytes) => Reply::bytes(self.status, "text/plain; charset=utf-8", bytes.clone()),
            Content::Json(bytes) => Reply::bytes(self.status, "application/json", bytes.clone()),
            Content::Node(node) => Reply::json(self.status, &scope.value(node)?),
            Content::Text(text) => Reply::bytes(self.status, "text/plain; charset=utf-8", scope.text(text)?),
        };
        for (name, value) in &self.headers {
            let value = scope.text(value)?;
            if HeaderValue::try_from(value.as_str()).is_err() {
                return Err(format!("the value of the header `{name}` cannot be sent"));
            }
            reply.set(name.clone(), value);
        }
        reply.transport = self.transport(scope, reply.body.len());
        reply.split_events();
        Ok(reply)
    }

    fn transport(&self, scope: &Scope<'_>, bytes: usize) -> Transport {
        match (self.fault, self.dribble, self.delay) {
            (Some(BrokenWire::Reset), ..) => Transport::Reset,
            (Some(BrokenWire::Empty), ..) => Transport::Close,
            (Some(BrokenWire::Garbage), ..) => Transport::Garbage,
            (Some(BrokenWire::MalformedChunk), ..) => Transport::MalformedChunk,
            (None, Some(dribble), _) => {
                let pieces = usize::try_from(dribble.pieces).unwrap_or(usize::MAX).max(1);
                let interval =
                    Duration::from_millis(dribble.over_ms).min(DELAY_MAX) / u32::try_from(pieces).unwrap_or(1);
                Transport::Dribble { bytes: bytes.div_ceil(pieces).max(1), interval }
            }
            (None, None, Some(delay)) => Transport::Late { delay: drawn(delay, scope).min(DELAY_MAX), at_event: None },
            (None, None, None) => Transport::Whole,
        }
    }
}

fn drawn(delay: DelayFile, scope: &Scope<'_>) -> Duration {
    match delay {
        DelayFile::Ms(ms) => Duration::from_millis(ms),
        DelayFile::Uniform { lower_ms, upper_ms } => {
            let span = upper_ms.saturating_sub(lower_ms).saturating_add(1);
            Duration::from_millis(lower_ms + scope.draw.number() % span)
        }
        DelayFile::LogNormal { median_ms, sigma } => {
            // Box and Muller's normal draw.
            let (u, v) = (1.0 - scope.draw.fraction(), scope.draw.fraction());
            let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
            Duration::try_from_secs_f64(median_ms / 1_000.0 * (sigma * normal).exp()).unwrap_or(DELAY_MAX)
        }
    }
}
