//! What the LLM twins share: playing a script, and what every model does to an answer before it has a wire form (stop
//! sequences, structured outputs, tokens). Knows no provider's wire.
//!
//! Start at [`Player::answer`].

mod schema;
mod speed;
mod text;

use std::{collections::VecDeque, path::PathBuf, sync::Arc};

use serde_json::{Value, json};

pub(super) use self::{
    speed::Speed,
    text::{ascii, pieces, tokens},
};
use crate::{
    TwinError,
    http::Pace,
    script::{self, Block, Facts, Script, StopReason, Usage},
};

const PLAYED_MAX: usize = 1_000; // labels kept for `state`

/// Plays a script, and remembers which turns it played.
#[derive(Clone, Default)]
pub(super) struct Player {
    script: Option<Arc<Script>>,
    played: VecDeque<String>,
    speed: Speed,
}

/// What a request wants besides its conversation.
pub(super) struct Wishes<'r> {
    pub(super) stops: Vec<&'r str>,
    pub(super) format: Format<'r>,
}

/// The form that the text of an answer has.
#[derive(Clone, Copy)]
pub(super) enum Format<'r> {
    Text,
    AnyJson,
    Schema(&'r Value),
}

/// An answer without ids and wire form.
pub(super) struct Said {
    /// `script/turn`
    pub(super) label: String,
    pub(super) blocks: Vec<Block>,
    pub(super) stop: StopReason,
    pub(super) stop_sequence: Option<String>,
    /// Thinking included.
    pub(super) output_tokens: u64,
    pub(super) thinking_tokens: u64,
}

impl Player {
    pub(super) fn open(path: Option<PathBuf>, speed: Speed) -> Result<Self, TwinError> {
        let script = path.map(|path| script::load(&path)).transpose().map_err(TwinError::Script)?;
        Ok(Self { script: script.map(Arc::new), played: VecDeque::new(), speed })
    }

    /// # Errors
    /// In words: no script, or none of its turns answers this.
    pub(super) fn answer(&mut self, facts: &Facts, wishes: &Wishes<'_>) -> Result<Said, String> {
        let script = self.script.clone().ok_or("this twin has no script to play")?;
        let played = script.play(facts)?;
        self.note(&played.label);
        let mut said = Said {
            label: played.label,
            blocks: played.blocks,
            stop: played.stop,
            stop_sequence: None,
            output_tokens: 0,
            thinking_tokens: 0,
        };
        // A model that says nothing sends no block.
        said.blocks.retain(|block| !matches!(block, Block::Text(text) if text.is_empty()));
        if said.stop != StopReason::Refusal {
            said.shape(wishes.format);
            said.cut(&wishes.stops);
        }
        said.count(script.usage);
        Ok(said)
    }

    /// How long an answer of so many tokens takes.
    pub(super) fn pace(&self, output_tokens: u64) -> Option<Pace> {
        self.speed.pace(output_tokens)
    }

    /// The model that the script names.
    pub(super) fn model(&self) -> Option<&str> {
        self.script.as_ref().map(|script| script.model.as_str())
    }

    pub(super) fn input_tokens(&self, characters: usize) -> u64 {
        let usage = self.script.as_ref().map(|script| script.usage).unwrap_or_default();
        tokens(characters, usage.input_tokens_per_char)
    }

    pub(super) fn state(&self) -> Value {
        json!({"script": self.script.as_ref().map(|script| &script.name), "played": self.played})
    }

    fn note(&mut self, label: &str) {
        self.played.push_back(label.to_owned());
        if self.played.len() > PLAYED_MAX {
            self.played.pop_front();
        }
    }
}

impl Said {
    /// Text that is no JSON becomes JSON where JSON is wanted; tool calls are what they are.
    fn shape(&mut self, format: Format<'_>) {
        for block in &mut self.blocks {
            let Block::Text(text) = block else { continue };
            if serde_json::from_str::<Value>(text).is_ok() {
                continue;
            }
            match format {
                Format::Text => {}
                Format::AnyJson => *text = json!({ "text": text }).to_string(),
                Format::Schema(schema) => *text = schema::instance(schema, text).to_string(),
            }
        }
    }

    /// Ends where the text first has a stop sequence: nothing after it was ever written.
    fn cut(&mut self, stops: &[&str]) {
        for index in 0..self.blocks.len() {
            let Block::Text(text) = &mut self.blocks[index] else { continue };
            let found = stops.iter().filter_map(|stop| Some((text.find(stop)?, *stop))).min();
            if let Some((at, stop)) = found {
                text.truncate(at);
                let empty = text.is_empty();
                self.blocks.truncate(index + usize::from(!empty));
                self.stop = StopReason::StopSequence;
                self.stop_sequence = Some(stop.to_owned());
                return;
            }
        }
    }

    fn count(&mut self, usage: Usage) {
        let characters = |block: &Block| match block {
            Block::Thinking(text) | Block::Text(text) => text.chars().count(),
            Block::ToolUse { tool, input } => tool.chars().count() + input.to_string().chars().count(),
        };
        let thinking = |block: &&Block| matches!(block, Block::Thinking(_));
        let rate = usage.output_tokens_per_char;
        let thought: usize = self.blocks.iter().filter(thinking).map(characters).sum();
        self.output_tokens = tokens(self.blocks.iter().map(characters).sum(), rate);
        self.thinking_tokens = if thought == 0 { 0 } else { tokens(thought, rate) };
    }
}

/// A list of texts, or one.
pub(super) fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
