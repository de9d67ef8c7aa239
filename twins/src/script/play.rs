use minijinja::{
    context,
    value::{Serde, Value},
};
use serde::Serialize;

use super::format::{Script, StopReason, Turn};

/// What a request says, reduced to what scripts may ask.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Facts {
    pub(crate) model: String,
    pub(crate) system: String,
    /// The text of each user message, in order; empty where it has only tool results.
    pub(crate) user: Vec<String>,
    pub(crate) last_user: String,
    /// The text of each tool result in the last message.
    pub(crate) tool_results: Vec<String>,
    pub(crate) assistant_turns: usize,
    pub(crate) tools: Vec<String>,
}

/// An answer, before it has ids and a wire form.
#[derive(Debug)]
pub(crate) struct Played {
    /// `script/turn`
    pub(crate) label: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) stop: StopReason,
}

#[derive(Debug)]
pub(crate) enum Block {
    Thinking(String),
    Text(String),
    ToolUse { tool: String, input: serde_json::Value },
}

impl Script {
    /// The answer of the first turn that fits.
    ///
    /// # Errors
    /// In words: no turn fits (with the nearest one and what it misses), or the turn cannot be played.
    pub(crate) fn play(&self, facts: &Facts) -> Result<Played, String> {
        let turn = self.turns.iter().find(|turn| turn.when.fit(facts)).ok_or_else(|| self.near_miss(facts))?;
        let mut blocks = Vec::new();
        if turn.think {
            blocks.push(Block::Thinking(self.render(turn, "think", facts)?));
        }
        if turn.say {
            blocks.push(Block::Text(self.render(turn, "say", facts)?));
        }
        let calls = self.calls(turn, facts)?;
        let stop = turn.stop.unwrap_or(if calls.is_empty() { StopReason::EndTurn } else { StopReason::ToolUse });
        blocks.extend(calls);
        Ok(Played { label: format!("{}/{}", self.name, turn.name), blocks, stop })
    }

    fn calls(&self, turn: &Turn, facts: &Facts) -> Result<Vec<Block>, String> {
        let fitting = turn.calls.iter().filter(|call| call.when.fit(facts));
        let block = |call: &super::format::ToolCall| {
            if facts.tools.contains(&call.tool) {
                return Ok(Block::ToolUse { tool: call.tool.clone(), input: call.input.clone() });
            }
            let offered = if facts.tools.is_empty() { "none".to_owned() } else { facts.tools.join(", ") };
            Err(format!(
                "turn \"{}\" of script {} calls `{}`, but the request offers {offered}",
                turn.name, self.name, call.tool
            ))
        };
        fitting.map(block).collect()
    }

    fn render(&self, turn: &Turn, part: &str, facts: &Facts) -> Result<String, String> {
        let name = format!("{}/{part}", turn.name);
        let template = self.templates.get_template(&name).expect("compiled when the script was read");
        let rendered = template.render(context! { request => Value::from(Serde(facts)) });
        rendered.map_err(|error| format!("`{part}` of turn \"{}\" of script {} fails: {error:#}", turn.name, self.name))
    }

    fn near_miss(&self, facts: &Facts) -> String {
        let misses = self.turns.iter().map(|turn| (turn, turn.when.misses(facts)));
        let (turn, misses) = misses.min_by_key(|(_, misses)| misses.len()).expect("a script has a turn");
        format!(
            "no turn of script {} fits this request; the nearest is \"{}\", which misses: {}",
            self.name,
            turn.name,
            misses.join("; ")
        )
    }
}
