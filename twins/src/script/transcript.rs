use super::play::Facts;

/// Gathers the facts of a conversation from any provider's form. Providers differ in where tool results stand; here
/// all results in a row, and the user's text right behind them, are one message of the user.
#[derive(Default)]
pub(crate) struct Transcript {
    facts: Facts,
    last: Last,
}

#[derive(Default, PartialEq)]
enum Last {
    #[default]
    Nothing,
    User,
    Results,
    Assistant,
}

impl Transcript {
    pub(crate) fn system(&mut self, text: &str) {
        if !self.facts.system.is_empty() {
            self.facts.system.push('\n');
        }
        self.facts.system.push_str(text);
    }

    pub(crate) fn user(&mut self, text: String) {
        if self.last == Last::Results {
            self.facts.user.pop(); // the results' own message, which had no text
        } else {
            self.facts.tool_results.clear();
        }
        self.facts.user.push(text);
        self.last = Last::User;
    }

    pub(crate) fn tool_result(&mut self, text: String) {
        if self.last != Last::Results {
            self.facts.tool_results.clear();
            self.facts.user.push(String::new());
        }
        self.facts.tool_results.push(text);
        self.last = Last::Results;
    }

    /// One turn, however many items it has.
    pub(crate) fn assistant(&mut self) {
        if self.last != Last::Assistant {
            self.facts.assistant_turns += 1;
        }
        self.facts.tool_results.clear();
        self.last = Last::Assistant;
    }

    pub(crate) fn facts(self, model: &str, tools: Vec<String>) -> Facts {
        let last_user = self.facts.user.last().cloned().unwrap_or_default();
        Facts { model: model.to_owned(), last_user, tools, ..self.facts }
    }
}

#[cfg(test)]
mod tests {
    use super::Transcript;

    #[test]
    fn results_in_a_row_and_the_text_behind_them_are_one_message() {
        let mut transcript = Transcript::default();
        transcript.system("Be brief.");
        transcript.user("go".to_owned());
        transcript.assistant();
        transcript.assistant();
        transcript.tool_result("a".to_owned());
        transcript.tool_result("b".to_owned());
        transcript.user("and now?".to_owned());
        let facts = transcript.facts("m", Vec::new());
        assert_eq!(
            (facts.user, facts.last_user),
            (vec!["go".to_owned(), "and now?".to_owned()], "and now?".to_owned())
        );
        assert_eq!((facts.tool_results, facts.assistant_turns), (vec!["a".to_owned(), "b".to_owned()], 1));
    }

    #[test]
    fn older_results_are_no_facts() {
        let mut transcript = Transcript::default();
        transcript.tool_result("old".to_owned());
        transcript.assistant();
        transcript.user("next".to_owned());
        assert!(transcript.facts("m", Vec::new()).tool_results.is_empty());
    }
}
