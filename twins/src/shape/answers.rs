//! Shapes of answers: by operation and status; a stream by its events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Shape;

/// What an answer looks like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerShape {
    Empty,
    Json(Shape),
    /// Server-sent events, by their name or type.
    Events(BTreeMap<String, Shape>),
    Text,
    Bytes,
}

/// Of each operation (`GET /v1/customers/{id}`) the answers by status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shapes(pub BTreeMap<String, BTreeMap<u16, AnswerShape>>);

impl Shapes {
    pub(crate) fn extend(&mut self, other: Self) {
        for (operation, answers) in other.0 {
            answers.into_iter().for_each(|(status, shape)| self.add(&operation, status, shape));
        }
    }

    pub(crate) fn add(&mut self, operation: &str, status: u16, shape: AnswerShape) {
        let answers = self.0.entry(operation.to_owned()).or_default();
        match answers.get_mut(&status) {
            Some(known) => known.merge(shape),
            None => {
                answers.insert(status, shape);
            }
        }
    }
}

impl AnswerShape {
    /// Of the frames of a stream.
    pub(crate) fn of_events<'f>(frames: impl Iterator<Item = &'f str>) -> Self {
        let mut events: BTreeMap<String, Shape> = BTreeMap::new();
        for frame in frames {
            let data = field(frame, "data");
            let Ok(value) = serde_json::from_str::<Value>(&data) else { continue };
            events.entry(event_name(&field(frame, "event"), &value)).or_default().merge(Shape::of(&value, ""));
        }
        Self::Events(events)
    }

    /// The richer of two that have nothing in common.
    fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Json(shape), Self::Json(other)) => shape.merge(other),
            (Self::Events(events), Self::Events(others)) => {
                for (name, shape) in others {
                    events.entry(name).or_default().merge(shape);
                }
            }
            (this @ (Self::Empty | Self::Text | Self::Bytes), other) => *this = other,
            (Self::Json(_) | Self::Events(_), _) => {}
        }
    }
}

/// What an event is called: by its own field, else by what its data says it is.
fn event_name(event: &str, data: &Value) -> String {
    let said = ["type", "object"].iter().find_map(|field| data[field].as_str());
    if event.is_empty() { said.unwrap_or("message").to_owned() } else { event.to_owned() }
}

/// The lines of one field of an event, joined as a client joins them.
fn field(frame: &str, name: &str) -> String {
    let lines = frame.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    lines.map(|text| text.strip_prefix(' ').unwrap_or(text)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_a_shape_for_each_kind_of_event() {
        let frames = [
            "event: start\ndata: {\"id\": 1}\n\n",
            "data: {\"object\": \"chunk\",\ndata: \"n\": 1}\n\n",
            "data: {\"object\": \"chunk\"}\n\n",
            ": ping\n\n",
            "data: [DONE]\n\n",
        ];
        let AnswerShape::Events(events) = AnswerShape::of_events(frames.into_iter()) else { panic!("is a stream") };
        assert_eq!(events.keys().collect::<Vec<_>>(), ["chunk", "start"]);
        assert!(events["chunk"].properties.contains_key("n") && !events["chunk"].required.contains("n"));
    }
}
