use located::{Diagnostic, Source, Spanned};
use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use super::play::Facts;

const REGEX_BYTES_MAX: usize = 1024 * 1024; // compiled; a hand-written pattern stays far below

/// `when`, as written. All that is given must fit; nothing given fits always.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct When {
    /// Over the system text.
    system_matches: Option<Spanned<String>>,
    /// Over the text of the first user message.
    first_user_matches: Option<Spanned<String>>,
    /// Over the text of the last user message; tool results are no text.
    last_user_matches: Option<Spanned<String>>,
    /// Over the text of any user message.
    user_matches: Option<Spanned<String>>,
    /// No user message has it.
    not_user_matches: Option<Spanned<String>>,
    /// Over the tool results in the last message.
    tool_result_matches: Option<Spanned<String>>,
    /// How many messages of the assistant the request has.
    assistant_turns: Option<Count>,
    /// The request offers this tool.
    has_tool: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Count {
    Exactly(usize),
    Between(Bounds),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    gte: Option<usize>,
    lte: Option<usize>,
}

/// `when`, ready to be asked.
pub(super) struct Conditions(Vec<Condition>);

enum Condition {
    Text(Whose, Regex),
    NoUserText(Regex),
    AssistantTurns(Count),
    HasTool(String),
}

#[derive(Clone, Copy)]
enum Whose {
    System,
    FirstUser,
    LastUser,
    AnyUser,
    ToolResult,
}

impl When {
    pub(super) fn compile(self, source: &Source) -> (Conditions, Vec<Diagnostic>) {
        let (mut conditions, mut problems) = (Vec::new(), Vec::new());
        let mut pattern = |text: Option<Spanned<String>>, wrap: &dyn Fn(Regex) -> Condition| {
            let Some(text) = text else { return };
            match RegexBuilder::new(&text.value).multi_line(true).size_limit(REGEX_BYTES_MAX).build() {
                Ok(regex) => conditions.push(wrap(regex)),
                Err(error) => {
                    problems.push(source.at(&text, format!("the pattern does not compile: {}", reason(&error))))
                }
            }
        };
        pattern(self.system_matches, &|regex| Condition::Text(Whose::System, regex));
        pattern(self.first_user_matches, &|regex| Condition::Text(Whose::FirstUser, regex));
        pattern(self.last_user_matches, &|regex| Condition::Text(Whose::LastUser, regex));
        pattern(self.user_matches, &|regex| Condition::Text(Whose::AnyUser, regex));
        pattern(self.not_user_matches, &Condition::NoUserText);
        pattern(self.tool_result_matches, &|regex| Condition::Text(Whose::ToolResult, regex));
        conditions.extend(self.assistant_turns.map(Condition::AssistantTurns));
        conditions.extend(self.has_tool.map(Condition::HasTool));
        (Conditions(conditions), problems)
    }
}

/// The engine draws the pattern with its own caret first; the diagnostic shows the line already.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().next_back().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

impl Conditions {
    pub(super) fn fit(&self, facts: &Facts) -> bool {
        self.0.iter().all(|condition| condition.holds(facts))
    }

    /// Each condition that does not hold, in words.
    pub(super) fn misses(&self, facts: &Facts) -> Vec<String> {
        self.0.iter().filter(|condition| !condition.holds(facts)).map(|condition| condition.miss(facts)).collect()
    }
}

impl Condition {
    fn holds(&self, facts: &Facts) -> bool {
        match self {
            Self::Text(whose, regex) => whose.texts(facts).iter().any(|text| regex.is_match(text)),
            Self::NoUserText(regex) => !facts.user.iter().any(|text| regex.is_match(text)),
            Self::AssistantTurns(count) => count.fits(facts.assistant_turns),
            Self::HasTool(tool) => facts.tools.contains(tool),
        }
    }

    fn miss(&self, facts: &Facts) -> String {
        match self {
            Self::Text(whose, regex) => format!("{}: /{regex}/ is not in the text", whose.field()),
            Self::NoUserText(regex) => format!("not_user_matches: /{regex}/ is in the text"),
            Self::AssistantTurns(count) => {
                format!("assistant_turns: wants {}, the request has {}", count.words(), facts.assistant_turns)
            }
            Self::HasTool(tool) => format!("has_tool: {tool} is not offered"),
        }
    }
}

impl Whose {
    fn texts(self, facts: &Facts) -> &[String] {
        match self {
            Self::System => std::slice::from_ref(&facts.system),
            Self::FirstUser => &facts.user[..facts.user.len().min(1)],
            Self::LastUser => std::slice::from_ref(&facts.last_user),
            Self::AnyUser => &facts.user,
            Self::ToolResult => &facts.tool_results,
        }
    }

    fn field(self) -> &'static str {
        match self {
            Self::System => "system_matches",
            Self::FirstUser => "first_user_matches",
            Self::LastUser => "last_user_matches",
            Self::AnyUser => "user_matches",
            Self::ToolResult => "tool_result_matches",
        }
    }
}

impl Count {
    fn fits(&self, number: usize) -> bool {
        match self {
            Self::Exactly(wanted) => number == *wanted,
            Self::Between(Bounds { gte, lte }) => {
                gte.is_none_or(|least| number >= least) && lte.is_none_or(|most| number <= most)
            }
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Exactly(wanted) => wanted.to_string(),
            Self::Between(Bounds { gte, lte }) => match (gte, lte) {
                (Some(least), Some(most)) => format!("{least} to {most}"),
                (Some(least), None) => format!("{least} or more"),
                (None, Some(most)) => format!("{most} or fewer"),
                (None, None) => "any number".to_owned(),
            },
        }
    }
}
