//! The body of a request: as it is written, and filled in for one exchange. It can be sent again after a redirect.

use std::path::PathBuf;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::{
    RequestBuilder,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue},
    multipart,
};
use serde_json::{Value as Json, json};

use super::{
    beside::{Beside, unreadable},
    file::{HttpFile, PartMap, PartSource},
    shown_text,
};
use crate::{
    scenario::{LintCode, Lower},
    step::Halt,
    text::{Entries, Node, Placed, RenderError, Scope, Text},
};

#[derive(Debug)]
pub(super) enum Body {
    None,
    Json(Node),
    Form(Entries<Node>),
    Text(Text),
    Base64(Text),
    Hex(Text),
    File(Beside),
    Multipart(Vec<(Text, Part)>),
    Graphql { query: Text, variables: Option<Node> },
}

#[derive(Debug)]
pub(super) struct Part {
    content: PartContent,
    content_type: Option<Text>,
    filename: Option<Text>,
}

#[derive(Debug)]
enum PartContent {
    Text(Text),
    Base64(Text),
    File(Beside),
}

impl Body {
    pub(super) fn lower(file: &mut Placed<HttpFile>, lower: &mut Lower<'_>) -> Self {
        let names = file.body_names();
        if names.len() > 1 {
            let message = format!("a request has one body; here are {}", names.join(" and "));
            lower.refuse(LintCode::StepKind, file.place, message);
        }
        let file = &mut file.value;
        let mut bodies = [
            file.json.take().map(Self::Json),
            file.form.take().map(Self::Form),
            file.text.take().map(Self::Text),
            file.bytes_base64.take().map(Self::Base64),
            file.bytes_hex.take().map(Self::Hex),
            file.file.take().map(|name| Self::File(beside(name, lower))),
            file.multipart.take().map(|parts| Self::Multipart(lower_parts(parts, lower))),
            file.graphql.take().map(|graphql| Self::Graphql { query: graphql.query, variables: graphql.variables }),
        ]
        .into_iter()
        .flatten();
        bodies.next().unwrap_or(Self::None)
    }
}

pub(super) fn beside(name: Text, lower: &mut Lower<'_>) -> Beside {
    lower.names_file(&name);
    let beside = Beside::new(lower.folder(), name);
    if let Some(message) = beside.problem() {
        lower.refuse(LintCode::BadPath, beside.name().place, message);
    }
    beside
}

fn lower_parts(parts: Entries<super::file::PartFile>, lower: &mut Lower<'_>) -> Vec<(Text, Part)> {
    let each = parts.0.into_iter().flat_map(|(name, parts)| parts.0.into_iter().map(move |part| (name.clone(), part)));
    each.filter_map(|(name, part)| {
        let place = part.place().unwrap_or(name.place);
        let part = match part {
            PartSource::Text(text) => Part { content: PartContent::Text(text), content_type: None, filename: None },
            PartSource::Map(map) => {
                let PartMap { text, file, bytes_base64, content_type, filename } = *map;
                let content = match (text, file, bytes_base64) {
                    (Some(text), None, None) => PartContent::Text(text),
                    (None, Some(file), None) => PartContent::File(beside(file, lower)),
                    (None, None, Some(text)) => PartContent::Base64(text),
                    _ => {
                        let message = "a part holds exactly one of text, file and bytes_base64";
                        lower.refuse(LintCode::StepKind, place, message);
                        return None;
                    }
                };
                Part { content, content_type, filename }
            }
        };
        Some((name, part))
    })
    .collect()
}

/// A body with every template filled in.
pub(super) enum Payload {
    None,
    Bytes(Vec<u8>),
    File { path: PathBuf, bytes: u64 },
    Multipart(Vec<FilledPart>),
}

pub(super) struct FilledPart {
    name: String,
    content: Payload,
    content_type: Option<String>,
    filename: Option<String>,
}

/// A body, its content type, and what evidence shows of it.
pub(super) struct Filled {
    pub(super) payload: Payload,
    pub(super) content_type: Option<&'static str>,
    pub(super) kind: &'static str,
    pub(super) shown: Json,
}

impl Body {
    pub(super) fn fill(&self, scope: &Scope) -> Result<Filled, Halt> {
        let of = |kind, content_type, bytes, shown| Filled {
            payload: Payload::Bytes(bytes),
            content_type: Some(content_type),
            kind,
            shown,
        };
        Ok(match self {
            Self::None => Filled { payload: Payload::None, content_type: None, kind: "none", shown: Json::Null },
            Self::Json(node) => {
                let body = scope.node(node)?;
                of("json", "application/json", body.to_string().into_bytes(), body)
            }
            Self::Graphql { query, variables } => {
                let mut body = json!({ "query": scope.text(query)? });
                if let Some(variables) = variables {
                    body["variables"] = scope.node(variables)?;
                }
                of("graphql", "application/json", body.to_string().into_bytes(), body)
            }
            Self::Form(fields) => {
                let fields = super::pairs(fields, scope)?;
                let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
                of("form", "application/x-www-form-urlencoded", encoded.into_bytes(), json!(fields))
            }
            Self::Text(text) => {
                let body = scope.text(text)?;
                let shown = shown_text(&body).into();
                of("text", "text/plain; charset=utf-8", body.into_bytes(), shown)
            }
            Self::Base64(text) => {
                let (bytes, shown) = base64(text, scope)?;
                of("bytes", "application/octet-stream", bytes, shown)
            }
            Self::Hex(text) => {
                let written: String = scope.text(text)?.split_whitespace().collect();
                let refused = |error| refused(text, format!("`bytes_hex` is no hexadecimal text: {error}"));
                let bytes = hex::decode(&written).map_err(refused)?;
                let shown = shown_text(&BASE64_STANDARD.encode(&bytes)).into();
                of("bytes", "application/octet-stream", bytes, shown)
            }
            Self::File(beside) => {
                let payload = file(beside.path(scope)?)?;
                let shown = payload.shown();
                Filled { payload, content_type: Some("application/octet-stream"), kind: "file", shown }
            }
            Self::Multipart(parts) => {
                let filled = parts.iter().map(|(name, part)| part.fill(name, scope)).collect::<Result<Vec<_>, _>>()?;
                let shown = filled.iter().map(FilledPart::shown).collect();
                // The library names the boundary with the type.
                Filled { payload: Payload::Multipart(filled), content_type: None, kind: "multipart", shown }
            }
        })
    }
}

impl Part {
    fn fill(&self, name: &Text, scope: &Scope) -> Result<FilledPart, Halt> {
        let optional = |text: &Option<Text>| text.as_ref().map(|text| scope.text(text)).transpose();
        let (content, own_name) = match &self.content {
            PartContent::Text(text) => (Payload::Bytes(scope.text(text)?.into_bytes()), None),
            PartContent::Base64(text) => (Payload::Bytes(base64(text, scope)?.0), None),
            PartContent::File(beside) => {
                let path = beside.path(scope)?;
                let own = path.file_name().map(|name| name.to_string_lossy().into_owned());
                (file(path)?, own)
            }
        };
        let filename = optional(&self.filename)?.or(own_name);
        Ok(FilledPart { name: scope.text(name)?, content, content_type: optional(&self.content_type)?, filename })
    }
}

fn file(path: PathBuf) -> Result<Payload, Halt> {
    let bytes = crate::named_file::length(&path).map_err(|error| unreadable(&path, &error))?;
    Ok(Payload::File { path, bytes })
}

fn base64(text: &Text, scope: &Scope) -> Result<(Vec<u8>, Json), Halt> {
    let encoded = scope.text(text)?;
    let bytes = BASE64_STANDARD.decode(encoded.trim());
    let bytes = bytes.map_err(|error| refused(text, format!("`bytes_base64` is no Base64: {error}")))?;
    Ok((bytes, shown_text(&encoded).into()))
}

fn refused(text: &Text, message: String) -> Halt {
    Halt::Template(RenderError { place: text.place, message })
}

impl Payload {
    /// Its length, where it is known before the request is written.
    pub(super) fn len(&self) -> Option<u64> {
        match self {
            Self::None => Some(0),
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::File { bytes, .. } => Some(*bytes),
            Self::Multipart(_) => None,
        }
    }

    pub(super) async fn attach(
        &self,
        request: RequestBuilder,
        headers: &mut HeaderMap,
    ) -> Result<RequestBuilder, Halt> {
        Ok(match self {
            Self::None => request,
            Self::Bytes(bytes) => request.body(bytes.clone()),
            Self::File { path, bytes } => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(*bytes));
                request.body(open(path).await?)
            }
            Self::Multipart(parts) => {
                let mut form = multipart::Form::new();
                for part in parts {
                    form = form.part(part.name.clone(), part.build().await?);
                }
                if !headers.contains_key(CONTENT_TYPE)
                    && let Ok(content_type) =
                        HeaderValue::from_str(&format!("multipart/form-data; boundary={}", form.boundary()))
                {
                    headers.insert(CONTENT_TYPE, content_type);
                }
                request.multipart(form)
            }
        })
    }

    fn shown(&self) -> Json {
        match self {
            Self::None => Json::Null,
            Self::Bytes(bytes) => shown_text(&String::from_utf8_lossy(bytes)).into(),
            Self::File { path, bytes } => json!({ "file": path.display().to_string(), "bytes": bytes }),
            Self::Multipart(parts) => parts.iter().map(FilledPart::shown).collect(),
        }
    }
}

async fn open(path: &PathBuf) -> Result<tokio::fs::File, Halt> {
    tokio::fs::File::open(path).await.map_err(|error| unreadable(path, &error))
}

impl FilledPart {
    async fn build(&self) -> Result<multipart::Part, Halt> {
        let mut part = match &self.content {
            Payload::None => multipart::Part::bytes(Vec::new()),
            Payload::Bytes(bytes) => multipart::Part::bytes(bytes.clone()),
            Payload::File { path, bytes } => multipart::Part::stream_with_length(open(path).await?, *bytes),
            Payload::Multipart(_) => return Err(Halt::Infra("a part cannot hold parts".to_owned())),
        };
        if let Some(filename) = &self.filename {
            part = part.file_name(filename.clone());
        }
        let guessed = || match self.content {
            Payload::File { .. } => Some("application/octet-stream".to_owned()),
            Payload::None | Payload::Bytes(_) | Payload::Multipart(_) => None,
        };
        if let Some(content_type) = self.content_type.clone().or_else(guessed) {
            let refused = |_| Halt::Infra(format!("`{content_type}` is no content type"));
            part = part.mime_str(&content_type).map_err(refused)?;
        }
        Ok(part)
    }

    fn shown(&self) -> Json {
        let mut shown = json!({ "name": self.name, "content": self.content.shown() });
        for (key, value) in [("content_type", &self.content_type), ("filename", &self.filename)] {
            if let Some(value) = value {
                shown[key] = value.clone().into();
            }
        }
        shown
    }
}
