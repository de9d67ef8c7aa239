//! The comparison: walks the shapes that all sides have of one answer, and says where they part.

use std::collections::BTreeSet;

use serde::Serialize;

use super::python::Sdk;
use crate::shape::{AnswerShape, Kind, Shape, Shapes};

/// Where two or three sides part.
#[derive(Clone, Debug, Serialize)]
pub struct Drift {
    /// `GET /v1/models/{}`.
    pub operation: String,
    pub status: u16,
    /// `$.data[].created`, behind the event's name for a stream.
    pub path: String,
    /// `field`, `type`, `values` or `answer`.
    pub about: &'static str,
    /// What each side says; none: it says nothing.
    pub sdk: Option<String>,
    pub recorded: Option<String>,
    pub twin: Option<String>,
    pub verdict: Verdict,
    /// Why it is known, where it is on the list.
    pub reason: Option<String>,
}

/// Which side is alone with what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    TwinDrift,
    ServiceChanged,
    SdkDrift,
    /// Two sides, and no third to ask.
    Differs,
}

impl Drift {
    /// What a list of known differences calls it.
    pub(super) fn name(&self) -> String {
        format!("{} {} {} {}", self.operation, self.status, self.path, self.about)
    }
}

pub(super) struct Sides<'a> {
    pub(super) sdk: Option<&'a Sdk>,
    pub(super) recorded: &'a Shapes,
    pub(super) twin: &'a Shapes,
}

/// The shape of one place by each side that knows it.
#[derive(Clone, Copy)]
struct Three<'a> {
    sdk: Option<&'a Shape>,
    recorded: Option<&'a Shape>,
    twin: Option<&'a Shape>,
}

/// The differences, and how many operations had something to compare.
pub(super) fn compare(sides: &Sides<'_>) -> (Vec<Drift>, usize) {
    let mut walk = Walk { operation: String::new(), status: 0, found: Vec::new() };
    let mut compared = 0;
    let operations: BTreeSet<_> = sides.recorded.0.keys().chain(sides.twin.0.keys()).collect();
    for operation in operations {
        let answers = |shapes: &'_ Shapes| shapes.0.get(operation).cloned().unwrap_or_default();
        let (recorded, twin) = (answers(sides.recorded), answers(sides.twin));
        let statuses: BTreeSet<u16> = recorded.keys().chain(twin.keys()).copied().collect();
        let mut known = false;
        for status in statuses {
            let declared = sides.sdk.filter(|_| (200..300).contains(&status)).and_then(|sdk| sdk.answer(operation));
            (walk.operation, walk.status) = (operation.clone(), status);
            known |= walk.answer(declared.as_ref(), recorded.get(&status), twin.get(&status));
        }
        compared += usize::from(known);
    }
    (walk.found, compared)
}

struct Walk {
    operation: String,
    status: u16,
    found: Vec<Drift>,
}

impl Walk {
    /// Whether there was something to compare.
    fn answer(&mut self, sdk: Option<&Shape>, recorded: Option<&AnswerShape>, twin: Option<&AnswerShape>) -> bool {
        let json = |answer: Option<&'_ AnswerShape>| match answer {
            Some(AnswerShape::Json(shape)) => Some(shape.clone()),
            _ => None,
        };
        match (recorded, twin) {
            (Some(AnswerShape::Events(recorded)), Some(AnswerShape::Events(twin))) => {
                for name in recorded.keys().chain(twin.keys()).collect::<BTreeSet<_>>() {
                    let path = format!("event {name} $");
                    match (recorded.get(name), twin.get(name)) {
                        (Some(recorded), Some(twin)) => {
                            self.place(&path, Three { sdk: None, recorded: Some(recorded), twin: Some(twin) });
                        }
                        (recorded, twin) => {
                            let said = |there: bool| Some(if there { "sent" } else { "not sent" }.to_owned());
                            self.book(
                                &path,
                                "field",
                                [None, said(recorded.is_some()), said(twin.is_some())],
                                Verdict::Differs,
                            );
                        }
                    }
                }
                true
            }
            (Some(one), Some(other)) if word(one) != word(other) => {
                let said = |answer: &AnswerShape| Some(word(answer).to_owned());
                self.book("$", "answer", [None, said(one), said(other)], Verdict::Differs);
                true
            }
            _ => {
                let (recorded, twin) = (json(recorded), json(twin));
                let three = Three { sdk, recorded: recorded.as_ref(), twin: twin.as_ref() };
                let sides = [three.sdk, three.recorded, three.twin].into_iter().flatten().count();
                if sides > 1 {
                    self.place("$", three);
                }
                sides > 1
            }
        }
    }

    fn place(&mut self, path: &str, three: Three<'_>) {
        self.kinds(path, three);
        self.words(path, three);
        // Keys of a map are the user's own.
        let is_map = three.each().any(|shape| shape.values.is_some());
        for name in three.each().filter(|_| !is_map).flat_map(|shape| shape.properties.keys()).collect::<BTreeSet<_>>()
        {
            let inner = format!("{path}.{name}");
            self.field(&inner, name, three);
            self.inside(&inner, three.map(|shape| shape.properties.get(name)));
        }
        self.inside(&format!("{path}[]"), three.map(|shape| shape.items.as_deref()));
        self.inside(&format!("{path}.*"), three.map(|shape| shape.values.as_deref()));
    }

    fn inside(&mut self, path: &str, three: Three<'_>) {
        if three.each().count() > 1 {
            self.place(path, three);
        }
    }

    fn kinds(&mut self, path: &str, three: Three<'_>) {
        let part = |one: Option<&Shape>, other: Option<&Shape>| {
            let (Some(one), Some(other)) = (one, other) else { return false };
            part(&one.kinds, &other.kinds)
        };
        let undeclared = |seen: Option<&Shape>| match (three.sdk, seen) {
            (Some(sdk), Some(seen)) if !sdk.kinds.is_empty() => {
                let fits = |kind: &Kind| {
                    sdk.kinds.contains(kind) || *kind == Kind::Integer && sdk.kinds.contains(&Kind::Number)
                };
                !seen.kinds.iter().all(fits)
            }
            _ => false,
        };
        let (by_recorded, by_twin) = (undeclared(three.recorded), undeclared(three.twin));
        let apart = part(three.recorded, three.twin);
        if by_recorded || by_twin || apart {
            let said = three.said(|shape| joined(shape.kinds.iter().map(|kind| kind.name())));
            self.book(path, "type", said, three.verdict(by_recorded, by_twin));
        }
    }

    fn words(&mut self, path: &str, three: Three<'_>) {
        let Some(declared) = three.sdk.and_then(|shape| shape.words.as_ref()) else { return };
        let outside = |seen: Option<&Shape>| {
            seen.and_then(|shape| shape.words.as_ref()).is_some_and(|words| !words.is_subset(declared))
        };
        let (by_recorded, by_twin) = (outside(three.recorded), outside(three.twin));
        if by_recorded || by_twin {
            let said = three.said(|shape| joined(shape.words.iter().flatten().map(String::as_str)));
            self.book(path, "values", said, three.verdict(by_recorded, by_twin));
        }
    }

    /// Where a side that must have the field has it not, or one has it that nobody else knows.
    fn field(&mut self, path: &str, name: &str, three: Three<'_>) {
        let has = |side: Option<&Shape>| {
            let objects = side.filter(|shape| shape.kinds.contains(&Kind::Object) && shape.values.is_none())?;
            Some((objects.properties.contains_key(name), objects.required.contains(name)))
        };
        let (sdk, recorded, twin) = (has(three.sdk), has(three.recorded), has(three.twin));
        let must = sdk.is_some_and(|(_, required)| required);
        // A field that the SDK knows as optional says nothing when it is missing.
        let lacks = |side: Option<(bool, bool)>, other: Option<(bool, bool)>| {
            let other_always = other.is_some_and(|(_, always)| always);
            side.is_some_and(|(there, always)| must && !always || sdk.is_none() && !there && other_always)
        };
        let made_up = |side: Option<(bool, bool)>| sdk == Some((false, false)) && side.is_some_and(|(there, _)| there);
        let (by_recorded, by_twin) =
            (lacks(recorded, twin) || made_up(recorded), lacks(twin, recorded) || made_up(twin));
        if by_recorded || by_twin {
            let told = |side: Option<(bool, bool)>, words: [&str; 3]| {
                side.map(|(there, always)| {
                    if always {
                        words[0]
                    } else if there {
                        words[1]
                    } else {
                        words[2]
                    }
                    .to_owned()
                })
            };
            let seen = ["always", "sometimes", "never"];
            let said = [told(sdk, ["required", "optional", "unknown"]), told(recorded, seen), told(twin, seen)];
            self.book(path, "field", said, three.verdict(by_recorded, by_twin));
        }
    }

    fn book(&mut self, path: &str, about: &'static str, said: [Option<String>; 3], verdict: Verdict) {
        let [sdk, recorded, twin] = said;
        let (operation, path) = (self.operation.clone(), path.to_owned());
        self.found.push(Drift {
            operation,
            status: self.status,
            path,
            about,
            sdk,
            recorded,
            twin,
            verdict,
            reason: None,
        });
    }
}

impl<'a> Three<'a> {
    fn each(self) -> impl Iterator<Item = &'a Shape> {
        [self.sdk, self.recorded, self.twin].into_iter().flatten()
    }

    fn map(self, of: impl Fn(&'a Shape) -> Option<&'a Shape>) -> Self {
        Self { sdk: self.sdk.and_then(&of), recorded: self.recorded.and_then(&of), twin: self.twin.and_then(&of) }
    }

    fn said(self, of: impl Fn(&Shape) -> String) -> [Option<String>; 3] {
        [self.sdk.map(&of), self.recorded.map(&of), self.twin.map(&of)]
    }

    /// Who stands alone, by who parts from what the SDK or the other side says.
    fn verdict(self, by_recorded: bool, by_twin: bool) -> Verdict {
        match (self.sdk, self.recorded, self.twin) {
            (Some(_), Some(_), Some(_)) => match (by_recorded, by_twin) {
                (true, true) => Verdict::SdkDrift,
                (true, false) => Verdict::ServiceChanged,
                (false, _) => Verdict::TwinDrift,
            },
            _ => Verdict::Differs,
        }
    }
}

/// Whether two sets of types have nothing in common besides null.
fn part(one: &BTreeSet<Kind>, other: &BTreeSet<Kind>) -> bool {
    let solid = |kinds: &BTreeSet<Kind>| -> BTreeSet<Kind> {
        let merged = kinds.iter().map(|kind| if *kind == Kind::Integer { Kind::Number } else { *kind });
        merged.filter(|kind| *kind != Kind::Null).collect()
    };
    let (one, other) = (solid(one), solid(other));
    !one.is_empty() && !other.is_empty() && one.is_disjoint(&other)
}

fn joined<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn word(answer: &AnswerShape) -> &'static str {
    match answer {
        AnswerShape::Empty => "empty",
        AnswerShape::Json(_) => "json",
        AnswerShape::Events(_) => "events",
        AnswerShape::Text => "text",
        AnswerShape::Bytes => "bytes",
    }
}
