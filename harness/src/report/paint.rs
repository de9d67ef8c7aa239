//! Colour on a terminal.

use std::ffi::OsString;

/// Whether to use colour. Meaning never depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Colour,
}

impl Paint {
    /// As users of terminals expect it: `NO_COLOR` wins, then `CLICOLOR_FORCE`, then a terminal that is not dumb.
    pub fn fitting(variable: impl Fn(&str) -> Option<OsString>, is_terminal: bool) -> Self {
        let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty() && value != "0");
        let no_color = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = variable("TERM").is_some_and(|value| value == "dumb");
        if !no_color && (is_set("CLICOLOR_FORCE") || (is_terminal && !is_dumb)) { Self::Colour } else { Self::Plain }
    }

    fn dye(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }

    pub(super) fn good(self, text: &str) -> String {
        self.dye("32", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.dye("31", text)
    }

    pub(super) fn odd(self, text: &str) -> String {
        self.dye("33", text)
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.dye("2", text)
    }
}

#[cfg(test)]
mod tests {
    use super::Paint;

    fn paint(variables: &[(&str, &str)], is_terminal: bool) -> Paint {
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        Paint::fitting(variable, is_terminal)
    }

    #[test]
    fn colour_degrades() {
        assert_eq!(paint(&[], true), Paint::Colour);
        assert_eq!(paint(&[], false), Paint::Plain);
        assert_eq!(paint(&[("NO_COLOR", "1")], true), Paint::Plain);
        assert_eq!(paint(&[("NO_COLOR", "")], true), Paint::Colour, "an empty variable is none");
        assert_eq!(paint(&[("TERM", "dumb")], true), Paint::Plain);
        assert_eq!(paint(&[("CLICOLOR_FORCE", "1")], false), Paint::Colour);
        assert_eq!(paint(&[("CLICOLOR_FORCE", "0")], false), Paint::Plain);
        assert_eq!(paint(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], true), Paint::Plain);
    }
}
