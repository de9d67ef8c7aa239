//! What twins answered, from the lines of an exported journal. Injected answers say nothing about a twin.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    path::PathBuf,
};

use serde::Deserialize;
use serde_json::Value;

use super::DriftError;
use crate::{
    http::frames,
    shape::{AnswerShape, Folder, Shape, Shapes},
};

/// Answers, and the paths of the twins that gave them.
#[derive(Default)]
pub(super) struct Journals {
    calls: Vec<(String, String, u16, AnswerShape)>,
    pub(super) paths: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Line {
    twin: String,
    #[serde(default)]
    operation: Option<String>,
    #[serde(default)]
    fault: Option<Value>,
    request: Asked,
    #[serde(default)]
    response: Option<Answered>,
}

#[derive(Deserialize)]
struct Asked {
    method: String,
    path: String,
}

#[derive(Deserialize)]
struct Answered {
    status: u16,
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Option<String>,
}

pub(super) fn read(files: &[PathBuf]) -> Result<Journals, DriftError> {
    let mut journals = Journals::default();
    let mut twins = BTreeSet::new();
    for path in files {
        let cannot = |source| DriftError::Read { path: path.clone(), source };
        let file = std::fs::File::open(path).map_err(cannot)?;
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(cannot)?;
            let line: Line = serde_json::from_str(&line).map_err(|error| DriftError::Path {
                why: format!("{}:{}: {error}; is it an exported journal?", path.display(), number + 1),
            })?;
            twins.insert(line.twin.clone());
            if let (Some(_), None, Some(answer)) = (&line.operation, &line.fault, &line.response) {
                let shape = answer.shape();
                journals.calls.push((line.request.method, line.request.path, answer.status, shape));
            }
        }
    }
    let known = crate::catalogue().into_iter().filter(|info| twins.contains(info.name));
    journals.paths = known.flat_map(|info| info.routes).map(|route| route.path.to_owned()).collect();
    Ok(journals)
}

impl Journals {
    pub(super) fn shapes(&self, folder: &Folder) -> Shapes {
        let mut shapes = Shapes::default();
        for (method, path, status, shape) in &self.calls {
            shapes.add(&format!("{method} {}", folder.fold(path)), *status, shape.clone());
        }
        shapes
    }
}

impl Answered {
    fn shape(&self) -> AnswerShape {
        let headers: BTreeMap<_, _> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let kind = headers.get("content-type").copied().unwrap_or_default();
        match self.body.as_deref() {
            None => AnswerShape::Bytes,
            Some("") => AnswerShape::Empty,
            Some(text) if kind.starts_with("text/event-stream") => AnswerShape::of_events(frames(text)),
            Some(text) => match serde_json::from_str::<Value>(text) {
                Ok(value) if kind.contains("json") => AnswerShape::Json(Shape::of(&value, "")),
                _ => AnswerShape::Text,
            },
        }
    }
}
