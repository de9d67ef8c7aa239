//! What follows DATA: where it ends, what its dots mean, and lines that do not end as they should.

use super::config::BareNewline;

/// Takes a message byte by byte, however it is cut on its way.
pub(super) struct Content {
    kept: Vec<u8>,
    bytes_max: usize,
    newline: BareNewline,
    at: At,
    /// The line before this one ended with CR LF.
    before_ended_well: bool,
    pub(super) has_bare_newline: bool,
    is_too_large: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    LineStart,
    /// Behind a dot that began the line.
    Dot,
    DotCr,
    Text,
    Cr,
}

impl Content {
    pub(super) fn new(bytes_max: usize, newline: BareNewline) -> Self {
        let kept = Vec::new();
        Self {
            kept,
            bytes_max,
            newline,
            at: At::LineStart,
            before_ended_well: true,
            has_bare_newline: false,
            is_too_large: false,
        }
    }

    /// How many bytes belong to the message, and whether its end is among them.
    pub(super) fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (number, byte) in bytes.iter().enumerate() {
            if self.takes_end(*byte) {
                return (number + 1, true);
            }
        }
        (bytes.len(), false)
    }

    /// None: it was larger than allowed.
    pub(super) fn message(self) -> Option<Vec<u8>> {
        (!self.is_too_large).then_some(self.kept)
    }

    fn takes_end(&mut self, byte: u8) -> bool {
        match (self.at, byte) {
            (At::LineStart, b'.') => self.at = At::Dot,
            (At::Dot, b'\r') => self.at = At::DotCr,
            (At::Dot, b'\n') if self.newline == BareNewline::Allow => return true,
            // Whoever ends a message like this may want two servers to see two different ones.
            (At::DotCr, b'\n') if self.before_ended_well || self.newline == BareNewline::Allow => return true,
            (At::DotCr | At::Cr, b'\n') => self.end_line(true),
            (At::LineStart | At::Dot | At::Text, b'\n') => self.end_line(false),
            (At::DotCr | At::Cr, b'\r') => {
                self.keep(b'\r');
                self.at = At::Cr;
            }
            (At::DotCr | At::Cr, byte) => {
                self.keep(b'\r');
                self.keep(byte);
                self.at = At::Text;
            }
            (At::LineStart | At::Text, b'\r') => self.at = At::Cr,
            (At::LineStart | At::Dot | At::Text, byte) => {
                self.keep(byte);
                self.at = At::Text;
            }
        }
        false
    }

    fn end_line(&mut self, well: bool) {
        self.keep(b'\r');
        self.keep(b'\n');
        self.at = At::LineStart;
        self.before_ended_well = well;
        self.has_bare_newline |= !well;
    }

    fn keep(&mut self, byte: u8) {
        if self.kept.len() < self.bytes_max {
            self.kept.push(byte);
        } else {
            self.is_too_large = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept of the bytes, and what is left behind the end.
    fn read(bytes: &[u8], newline: BareNewline) -> Option<(String, String)> {
        let mut content = Content::new(1_000, newline);
        let (taken, ended) = content.take(bytes);
        let kept = String::from_utf8(content.message().expect("is not too large")).expect("is text");
        ended.then(|| (kept, String::from_utf8_lossy(&bytes[taken..]).into_owned()))
    }

    fn normal(text: &str) -> Option<(String, String)> {
        read(text.as_bytes(), BareNewline::Normalize)
    }

    fn pair(kept: &str, left: &str) -> Option<(String, String)> {
        Some((kept.to_owned(), left.to_owned()))
    }

    #[test]
    fn a_lone_dot_ends_a_message_and_other_dots_are_unstuffed() {
        assert_eq!(normal("a\r\n.\r\nQUIT\r\n"), pair("a\r\n", "QUIT\r\n"));
        assert_eq!(normal(".\r\n"), pair("", ""));
        assert_eq!(normal("..\r\n.b\r\nc.\r\n.\r\n"), pair(".\r\nb\r\nc.\r\n", ""));
        assert_eq!(normal("a\r\n"), None);
    }

    /// Each of these ends a message for one server or another.
    #[test]
    fn a_smuggled_end_is_none() {
        for smuggled in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r"] {
            let text = format!("a{smuggled}MAIL FROM:<eve@x.test>\r\n.\r\n");
            let (kept, left) = normal(&text).expect("ends at last");
            assert!(kept.contains("MAIL FROM:<eve@x.test>") && left.is_empty(), "{smuggled:?}: {kept:?}");
        }
    }

    #[test]
    fn bare_newlines_become_whole_ones_and_are_noticed() {
        assert_eq!(normal("a\nb\r\n.\r\n"), pair("a\r\nb\r\n", ""));
        assert_eq!(read(b"a\n.\nx", BareNewline::Allow), pair("a\r\n", "x"));
        let mut content = Content::new(9, BareNewline::Reject);
        content.take(b"a\r\n");
        assert!(!content.has_bare_newline);
        content.take(b"b\n");
        assert!(content.has_bare_newline);
    }

    #[test]
    fn bare_carriage_returns_and_other_bytes_stay() {
        assert_eq!(normal("a\rb\r\r\n\0\r\n.\r\n"), pair("a\rb\r\r\n\0\r\n", ""));
    }

    #[test]
    fn more_than_allowed_is_read_to_its_end_and_not_kept() {
        let mut content = Content::new(3, BareNewline::Normalize);
        assert_eq!(content.take(b"abcdef\r\n.\r\nQUIT"), (11, true));
        assert!(content.message().is_none());
    }

    proptest::proptest! {
        #[test]
        fn it_does_not_matter_where_a_message_is_cut(text in "[a.\r\n]{0,24}", cut in 0_usize..24) {
            let bytes = format!("{text}\r\n.\r\n").into_bytes();
            let cut = cut.min(bytes.len());
            let mut content = Content::new(1_000, BareNewline::Normalize);
            let (first, ended) = content.take(&bytes[..cut]);
            let taken = if ended { first } else { first + content.take(&bytes[cut..]).0 };
            let kept = content.message().expect("is not too large");
            let (whole, left) = read(&bytes, BareNewline::Normalize).expect("ends");
            proptest::prop_assert_eq!((String::from_utf8(kept).expect("is text"), bytes.len() - taken), (whole, left.len()));
        }
    }
}
