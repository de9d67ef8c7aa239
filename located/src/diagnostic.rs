use std::{fmt, io::Read as _, path::Path, sync::Arc};

use serde_saphyr::Spanned;

/// A larger file is not taken into memory.
const SOURCE_BYTES_MAX: u64 = 32 * 1024 * 1024; // the largest API descriptions in use have half of it

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

    /// Reads a file. Failures come back as a diagnostic at line 1 that names the path.
    pub fn read(path: &Path) -> Result<Self, Diagnostic> {
        let name = path.display().to_string();
        let refused = |message: String| Self::new(&name, "").diagnostic(Place::START, message);
        let bytes = read_bounded(path).map_err(|error| refused(format!("cannot read the file: {error}")))?;
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

/// One byte more than is allowed at most, whatever the file is.
fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(SOURCE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
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
/// Displays as `file:line:col: message`, the line, a caret, and the hint.
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
        write!(f, "{}: {}", self.location(), self.message)?;
        if let Some(line) = self.source.text().lines().nth(self.place.line - 1).filter(|line| !line.trim().is_empty()) {
            let number = self.place.line.to_string();
            let gutter = " ".repeat(number.len());
            let indent: String =
                line.chars().take(self.place.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            let rest = line.chars().count().saturating_sub(self.place.column - 1);
            let carets = "^".repeat(self.place.width.clamp(1, rest.max(1)));
            write!(f, "\n {gutter} |\n {number} | {line}\n {gutter} | {indent}{carets}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
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
