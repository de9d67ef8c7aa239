//! What is asked of a terminal and what it showed: a size, a dialogue, a screen. Pure; `pty` does the work.

use std::{num::NonZeroU16, time::Duration};

use regex::Regex;

use super::ExecOutput;

/// A terminal and what is typed on it.
#[derive(Clone, Debug)]
pub struct Terminal {
    pub columns: NonZeroU16,
    pub rows: NonZeroU16,
    /// In this order; afterwards the command is left to end by itself.
    pub dialogue: Vec<Turn>,
}

/// One turn of a dialogue: wait for a sign, then type.
#[derive(Clone, Debug)]
pub struct Turn {
    /// `None` types at once.
    pub sign: Option<Sign>,
    /// As it comes from the keyboard: `\r` is Enter, `\u{3}` is Ctrl-C, `\u{4}` is the end of the input.
    pub send: String,
    pub within: Duration,
}

/// What shows that a command is ready for its input.
#[derive(Clone, Debug)]
pub enum Sign {
    /// A text after the sign of the turn before.
    Text(String),
    /// A match after the sign of the turn before.
    Pattern(Regex),
    /// A text anywhere on the screen as it is now.
    Screen(String),
}

impl std::fmt::Display for Sign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Pattern(pattern) => write!(f, "a match of {:?}", pattern.as_str()),
            Self::Screen(text) => write!(f, "{text:?} on the screen"),
        }
    }
}

/// What a command on a terminal left. `output.stdout` is its text, without escape sequences and with plain line ends.
#[derive(Clone, Debug)]
pub struct TerminalOutput {
    pub output: ExecOutput,
    /// What the terminal showed at the end.
    pub screen: String,
    /// The turn, from 1, whose sign did not come.
    pub unanswered: Option<usize>,
}

/// Text and screen of a stream of bytes with escape sequences in it.
pub(super) struct Display {
    screen: vt100::Parser,
    escapes: vte::Parser,
    text: PlainText,
}

impl Display {
    pub(super) fn new(terminal: &Terminal, text_bytes_max: usize) -> Self {
        Self {
            screen: vt100::Parser::new(terminal.rows, terminal.columns, 0),
            escapes: vte::Parser::new(),
            text: PlainText { text: String::new(), bytes_max: text_bytes_max, is_cut: false, is_at_return: false },
        }
    }

    pub(super) fn show(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        self.escapes.advance(&mut self.text, bytes);
    }

    /// Where the sign ends in the text, looking from `from` on.
    pub(super) fn find(&self, sign: &Sign, from: usize) -> Option<usize> {
        let rest = &self.text.text[from..];
        match sign {
            Sign::Text(text) => rest.find(text.as_str()).map(|at| from + at + text.len()),
            Sign::Pattern(pattern) => pattern.find(rest).map(|found| from + found.end()),
            Sign::Screen(text) => self.screen().contains(text.as_str()).then_some(self.text.text.len()),
        }
    }

    pub(super) fn screen(&self) -> String {
        self.screen.screen().contents()
    }

    /// The text, and whether it was longer than it may be.
    pub(super) fn into_text(self) -> (String, bool) {
        (self.text.text, self.text.is_cut)
    }
}

/// Keeps what is printed. `\r\n` is a line end; so is `\r` before other text, as progress bars write it.
struct PlainText {
    text: String,
    bytes_max: usize,
    is_cut: bool,
    is_at_return: bool,
}

impl PlainText {
    fn push(&mut self, c: char) {
        if self.text.len() + c.len_utf8() > self.bytes_max {
            self.is_cut = true;
        } else {
            self.text.push(c);
        }
    }
}

impl vte::Perform for PlainText {
    fn print(&mut self, c: char) {
        if std::mem::take(&mut self.is_at_return) {
            self.push('\n');
        }
        self.push(c);
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => self.is_at_return = true,
            b'\n' => {
                self.is_at_return = false;
                self.push('\n');
            }
            b'\t' => self.print('\t'),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use regex::Regex;

    use super::{Display, Sign, Terminal};

    fn display(bytes_max: usize) -> Display {
        let size = |n| NonZeroU16::new(n).unwrap();
        Display::new(&Terminal { columns: size(10), rows: size(2), dialogue: Vec::new() }, bytes_max)
    }

    #[test]
    fn escape_sequences_leave_no_trace_in_the_text() {
        let mut display = display(100);
        display.show(b"\x1b[1;31mre");
        display.show(b"d\x1b[0m\r\n\x1b]0;title\x07\xffok 10%\r20%\tdone\r\n");
        assert_eq!(display.into_text(), ("red\n\u{fffd}ok 10%\n20%\tdone\n".to_owned(), false));
    }

    #[test]
    fn the_screen_is_what_a_person_sees_now() {
        let mut display = display(100);
        display.show(b"first\r\nsecond\r\nthird\x1b[1;1HS");
        assert_eq!(display.screen(), "Second\nthird");
        assert!(display.find(&Sign::Screen("Second".to_owned()), 0).is_some());
        assert!(display.find(&Sign::Screen("first".to_owned()), 0).is_none());
    }

    #[test]
    fn a_sign_is_looked_for_after_the_last_one() {
        let mut display = display(100);
        display.show(b"name: Ann\r\nname: ");
        let name = Sign::Text("name: ".to_owned());
        let first = display.find(&name, 0).unwrap();
        assert_eq!(first, 6);
        let second = display.find(&name, first).unwrap();
        assert_eq!((second, display.find(&name, second)), (16, None));
        assert_eq!(display.find(&Sign::Pattern(Regex::new("A.n").unwrap()), 0), Some(9));
    }

    #[test]
    fn a_flood_is_cut() {
        let mut display = display(3);
        display.show("aé€".as_bytes());
        assert_eq!(display.into_text(), ("aé".to_owned(), true));
    }
}
