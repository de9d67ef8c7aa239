use std::{
    fmt,
    io::{self, Read as _},
    path::Path,
    sync::Arc,
};

use serde_saphyr::Spanned;

/// A larger file is not taken into memory.
const SOURCE_BYTES_MAX: u64 = 32 * 1024 * 1024; // the largest API descriptions in use have half of it

/// Of a line that is quoted, in characters.
const LINE_SHOWN_MAX: usize = 200; // wide terminals show it as one line

/// A document: a name to show to people (normally a path as they typed it) and its text. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source(Arc<Text>);

#[derive(Debug, PartialEq, Eq)]
struct Text {
    name: String,
    text: String,
}

impl Source {
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self(Arc::new(Text { name: name.into(), text: text.into() }))
    }

    /// Reads a file. Failures come back as a diagnostic that names the path.
    pub fn read(path: &Path) -> Result<Self, Diagnostic> {
        let name = path.display().to_string();
        let refused = |message: String| Self::new(&name, "").diagnostic(Place::START, message);
        let bytes = read_bounded(path).map_err(|error| refused(unreadable(path, &error)))?;
        if bytes.len() as u64 > SOURCE_BYTES_MAX {
            return Err(refused(format!("the file has more than {SOURCE_BYTES_MAX} bytes; nobody wrote it by hand")));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(name, text)),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let prefix = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
                let source = Self::new(name, prefix);
                let place = source.place_of_offset(valid);
                Err(source.diagnostic(place, "the file is not valid UTF-8").hint("save it as UTF-8"))
            }
        }
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub fn text(&self) -> &str {
        &self.0.text
    }

    pub fn diagnostic(&self, place: Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic { source: self.clone(), place, message: message.into(), hint: None }
    }

    /// A diagnostic at the place where `value` was written.
    pub fn at<T>(&self, value: &Spanned<T>, message: impl Into<String>) -> Diagnostic {
        self.diagnostic(Place::of(value), message)
    }

    /// Line and column of a byte offset; an offset past the end is the end.
    pub fn place_of_offset(&self, offset: usize) -> Place {
        let mut end = offset.min(self.text().len());
        while !self.text().is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text()[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1, width: 1 }
    }
}

/// One byte more than is allowed at most. A pipe or a device could let its reader wait for ever; what a shell hands over
/// (`<(command)`) ends with its command.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let is_handed_over = ["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|fd| path.starts_with(fd));
    if !is_handed_over && !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(SOURCE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ if path.is_dir() => "this is a folder, where a file is needed".to_owned(),
        io::ErrorKind::Other => "this is a pipe or a device, where a file is needed".to_owned(),
        _ => format!("the file cannot be read: {error}"),
    }
}

/// Where in a document: line and column count from 1, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
    /// How many characters the caret underlines; at least 1.
    pub width: usize,
}

impl Place {
    pub const START: Self = Self { line: 1, column: 1, width: 1 };

    pub fn of<T>(value: &Spanned<T>) -> Self {
        Self::from(value.referenced)
    }
}

impl From<serde_saphyr::Location> for Place {
    fn from(location: serde_saphyr::Location) -> Self {
        let or_one = |n: u64| usize::try_from(n).unwrap_or(1).max(1);
        Self { line: or_one(location.line()), column: or_one(location.column()), width: or_one(location.span().len()) }
    }
}

/// One thing that is wrong in a document: what, where and what to do.
///
/// Displays as `file:line:col: message`, the line, a caret, and the hint; a file of which nothing was read has no lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub source: Source,
    pub place: Place,
    pub message: String,
    pub hint: Option<String>,
}

impl Diagnostic {
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// `file:line:col`, as editors understand it.
    pub fn location(&self) -> String {
        format!("{}:{}:{}", self.source.name(), self.place.line, self.place.column)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, Place { line, column, .. }) = (visible(self.source.name()).replace('\n', "␊"), self.place);
        if self.source.text().is_empty() {
            write!(f, "{name}: {}", visible(&self.message))?;
        } else {
            write!(f, "{name}:{line}:{column}: {}", visible(&self.message))?;
        }
        if let Some(text) = self.source.text().lines().nth(line - 1).filter(|text| !text.trim().is_empty()) {
            let number = line.to_string();
            let gutter = " ".repeat(number.len());
            let Excerpt { text, indent, carets } = Excerpt::of(text, self.place);
            write!(f, "\n {gutter} |\n {number} | {text}\n {gutter} | {indent}{}", "^".repeat(carets))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {}", visible(hint))?;
        }
        Ok(())
    }
}

/// What of a line is shown, and what stands below it.
struct Excerpt {
    text: String,
    indent: String,
    carets: usize,
}

impl Excerpt {
    fn of(line: &str, place: Place) -> Self {
        let before = place.column - 1;
        let length = line.chars().count();
        // A line of megabytes is shown around the place only.
        let start = if length > LINE_SHOWN_MAX { before.saturating_sub(LINE_SHOWN_MAX / 2).min(length) } else { 0 };
        let shown: String = line.chars().skip(start).take(LINE_SHOWN_MAX).collect();
        let shown_length = shown.chars().count();
        let (left, right) = (cut_sign(start > 0), cut_sign(start + shown_length < length));
        let blank = |c| if c == '\t' { '\t' } else { ' ' };
        let indent = left.chars().chain(shown.chars()).take(left.chars().count() + before - start).map(blank).collect();
        let rest = shown_length.saturating_sub(before - start);
        Self { text: visible(&format!("{left}{shown}{right}")), indent, carets: place.width.clamp(1, rest.max(1)) }
    }
}

fn cut_sign(is_cut: bool) -> &'static str {
    if is_cut { "…" } else { "" }
}

/// Without what would steer a terminal: a file that somebody else wrote is quoted here.
fn visible(text: &str) -> String {
    let sign = |c: char| match c {
        '\n' | '\t' => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).expect("each control character has a picture"),
        '\x7f'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        _ => c,
    };
    text.chars().map(sign).collect()
}

impl std::error::Error for Diagnostic {}

/// Everything that is wrong, in the order of the document. Never empty inside an `Err`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// `Ok(value)` where nothing was found wrong.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, more: I) {
        self.0.extend(more);
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.0.iter().enumerate() {
            let separator = if n == 0 { "" } else { "\n\n" };
            write!(f, "{separator}{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::{Place, Source};

    #[test]
    fn a_long_line_is_shown_around_the_place_only() {
        let source = Source::new("a.yaml", format!("{}here{}", "x".repeat(3_000_000), "y".repeat(3_000_000)));
        let text = source.diagnostic(Place { line: 1, column: 3_000_001, width: 4 }, "wrong").to_string();
        let [_, _, line, carets] = text.lines().collect::<Vec<_>>()[..] else { panic!("{}", text.len()) };
        assert!(line.chars().count() < 250 && line.contains("…xxx") && line.ends_with("yyy…"), "{line}");
        let column = |line: &str, sign| line.chars().position(|c| c == sign);
        assert_eq!(column(line, 'h'), column(carets, '^'), "{line}\n{carets}");
        assert_eq!(carets.matches('^').count(), 4);
    }

    #[test]
    fn a_file_cannot_steer_the_terminal_or_a_ci_system() {
        let source = Source::new("a\n::error::b.yaml", "x: \u{1b}[2J\u{202e}\n");
        let text = source.diagnostic(Place::START, "wrong \u{1b}[31m").hint("\u{9b}2J").to_string();
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{text}");
        assert!(text.starts_with("a␊::error::b.yaml:1:1: wrong ␛[31m\n"), "{text}");
    }

    #[test]
    fn what_is_no_file_is_refused_in_words_and_never_waited_for() {
        let dir = std::env::temp_dir();
        let words = |path: &std::path::Path| Source::read(path).expect_err("no file").to_string();
        let missing = dir.join("no such file");
        assert_eq!(words(&missing), format!("{}: there is no such file", missing.display()));
        assert!(words(&dir).ends_with(": this is a folder, where a file is needed"), "{}", words(&dir));
        for device in ["/dev/zero", "/dev/tty"] {
            let words = words(device.as_ref());
            assert!(words.ends_with(": this is a pipe or a device, where a file is needed"), "{words}");
        }
    }

    #[test]
    fn a_place_behind_the_end_of_its_line_is_shown() {
        let source = Source::new("a.yaml", "ab\n");
        let text = source.diagnostic(Place { line: 1, column: 9, width: 5 }, "wrong").to_string();
        assert!(text.ends_with(" | ab\n   |   ^"), "{text}");
    }
}
