use std::{collections::BTreeSet, fmt, path::Path};

use located::{Diagnostics, Source, Spanned};
use minijinja::{Environment, UndefinedBehavior};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value;

use super::conditions::{Conditions, When};

const FILE_BYTES_MAX: u64 = 1024 * 1024; // larger than any file that a model would write in one call
const TEMPLATE_FUEL: u64 = 100_000; // instructions per text; a loop over all tool results needs far less

/// A checked script.
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) model: String,
    pub(crate) usage: Usage,
    pub(super) turns: Vec<Turn>,
    /// Templates by `<turn>/say` and `<turn>/think`.
    pub(super) templates: Environment<'static>,
}

pub(super) struct Turn {
    pub(super) name: String,
    pub(super) when: Conditions,
    pub(super) say: bool,
    pub(super) think: bool,
    pub(super) calls: Vec<ToolCall>,
    pub(super) stop: Option<StopReason>,
}

pub(super) struct ToolCall {
    pub(super) tool: String,
    /// With the text of every `{file: …}` in its place.
    pub(super) input: Value,
    pub(super) when: Conditions,
}

/// Tokens per character, so that budgets and costs move.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Usage {
    pub(crate) input_tokens_per_char: f64,
    pub(crate) output_tokens_per_char: f64,
}

impl Default for Usage {
    fn default() -> Self {
        Self { input_tokens_per_char: 0.25, output_tokens_per_char: 0.25 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StopReason {
    EndTurn,
    ToolUse,
    MaxTokens,
    StopSequence,
    Refusal,
}

impl StopReason {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EndTurn => "end_turn",
            Self::ToolUse => "tool_use",
            Self::MaxTokens => "max_tokens",
            Self::StopSequence => "stop_sequence",
            Self::Refusal => "refusal",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptFile {
    script: Spanned<String>,
    model: String,
    #[serde(default)]
    usage: Usage,
    turns: Spanned<Vec<TurnFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TurnFile {
    turn: Spanned<String>,
    #[serde(default)]
    when: When,
    say: Option<Spanned<String>>,
    think: Option<Spanned<String>>,
    #[serde(default)]
    calls: Vec<CallFile>,
    stop: Option<StopReason>,
}

/// `{ <tool>: <input>, when: … }`
struct CallFile {
    tool: String,
    input: Spanned<Value>,
    when: When,
}

impl<'de> Deserialize<'de> for CallFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneTool;

        impl<'de> Visitor<'de> for OneTool {
            type Value = CallFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tool's name with its input, and `when` if it is conditional")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CallFile, A::Error> {
                let (mut call, mut when) = (None, When::default());
                while let Some(key) = map.next_key::<String>()? {
                    if key == "when" {
                        when = map.next_value()?;
                    } else if call.replace((key, map.next_value()?)).is_some() {
                        return Err(A::Error::custom("a call names one tool; write a list item for each"));
                    }
                }
                let (tool, input) = call.ok_or_else(|| A::Error::custom("the call names no tool"))?;
                Ok(CallFile { tool, input, when })
            }
        }

        deserializer.deserialize_map(OneTool)
    }
}

impl Script {
    /// `folder` is where `{file: …}` looks.
    pub(crate) fn parse(source: &Source, folder: &Path) -> Result<Self, Diagnostics> {
        let file: ScriptFile = located::yaml(source)?;
        let mut reader = Reader { source, folder, templates: environment(), found: Diagnostics::default() };
        reader.check_names(&file);
        let turns = file.turns.value.into_iter().map(|turn| reader.turn(turn)).collect();
        let Reader { templates, mut found, .. } = reader;
        found.0.sort_by_key(|diagnostic| diagnostic.place);
        found.or(Self { name: file.script.value, model: file.model, usage: file.usage, turns, templates })
    }
}

fn environment() -> Environment<'static> {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_fuel(Some(TEMPLATE_FUEL));
    templates
}

/// Turns the file into a script and gathers what is wrong on the way.
struct Reader<'s> {
    source: &'s Source,
    folder: &'s Path,
    templates: Environment<'static>,
    found: Diagnostics,
}

impl Reader<'_> {
    fn check_names(&mut self, file: &ScriptFile) {
        if file.turns.value.is_empty() {
            self.found.push(self.source.at(&file.turns, "a script needs at least one turn"));
        }
        let mut seen = BTreeSet::new();
        for turn in &file.turns.value {
            if !seen.insert(&turn.turn.value) {
                let message = format!("a turn named `{}` stands above", turn.turn.value);
                self.found.push(
                    self.source.at(&turn.turn, message).hint("names tell turns apart in reports; choose another"),
                );
            }
        }
    }

    fn turn(&mut self, file: TurnFile) -> Turn {
        let name = file.turn.value.clone();
        if file.say.is_none() && file.think.is_none() && file.calls.is_empty() {
            let empty = self.source.at(&file.turn, format!("turn `{name}` answers nothing"));
            self.found.push(empty.hint("give it `say`, `think` or `calls`"));
        }
        let (say, think) = (self.template(&name, "say", file.say), self.template(&name, "think", file.think));
        let when = self.conditions(file.when);
        let calls = file.calls.into_iter().map(|call| self.call(call)).collect();
        Turn { name, when, say, think, calls, stop: file.stop }
    }

    fn template(&mut self, turn: &str, part: &str, text: Option<Spanned<String>>) -> bool {
        let Some(text) = text else { return false };
        if let Err(error) = self.templates.add_template_owned(format!("{turn}/{part}"), text.value.clone()) {
            let wrong = self.source.at(&text, format!("the text is no template: {error}"));
            self.found.push(wrong.hint("write {% raw %} … {% endraw %} around braces that are meant literally"));
        }
        true
    }

    fn conditions(&mut self, when: When) -> Conditions {
        let (conditions, problems) = when.compile(self.source);
        self.found.extend(problems);
        conditions
    }

    fn call(&mut self, mut file: CallFile) -> ToolCall {
        let mut input = std::mem::take(&mut file.input.value);
        if let Err(message) = self.put_files(&mut input) {
            self.found.push(self.source.at(&file.input, message));
        } else if !input.is_object() {
            let wrong = self.source.at(&file.input, format!("the input of `{}` is not a mapping", file.tool));
            self.found.push(wrong.hint("tools take named arguments: { path: app.py }"));
        }
        ToolCall { tool: file.tool, input, when: self.conditions(file.when) }
    }

    /// Replaces each `{file: P}` by the text of that file.
    fn put_files(&self, value: &mut Value) -> Result<(), String> {
        if let Some(path) = file_reference(value) {
            *value = Value::String(self.read(&path)?);
            return Ok(());
        }
        match value {
            Value::Object(map) => map.values_mut().try_for_each(|inner| self.put_files(inner)),
            Value::Array(items) => items.iter_mut().try_for_each(|inner| self.put_files(inner)),
            _ => Ok(()),
        }
    }

    fn read(&self, path: &str) -> Result<String, String> {
        let relative = Path::new(path);
        let inside = relative.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside {
            return Err(format!("`{path}` leaves the script's folder; keep its files beside it"));
        }
        let full = self.folder.join(relative);
        let size = std::fs::metadata(&full).map_err(|error| format!("cannot read `{path}`: {error}"))?.len();
        if size > FILE_BYTES_MAX {
            return Err(format!("`{path}` has {size} bytes; at most {FILE_BYTES_MAX} are played"));
        }
        std::fs::read_to_string(&full).map_err(|error| format!("cannot read `{path}`: {error}"))
    }
}

fn file_reference(value: &Value) -> Option<String> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    Some(map.get("file")?.as_str()?.to_owned())
}
