//! A cursor over a Hurl file: places, spaces, comments, and the kinds of text that the format has.

use located::{Diagnostic, Place, Source};

use super::ast::{Piece, Placeholder, Template};

pub(super) type Parsed<T> = Result<T, Diagnostic>;

#[derive(Clone)]
pub(super) struct Scanner<'a> {
    source: &'a Source,
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        // A byte order mark is not part of the first line.
        let at = if source.text().starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { source, text: source.text(), at }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// What was read since `start`.
    pub(super) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    pub(super) fn is_end(&self) -> bool {
        self.rest().is_empty()
    }

    pub(super) fn place(&self) -> Place {
        self.source.place_of_offset(self.at)
    }

    /// From `start` to here, on one line.
    pub(super) fn place_since(&self, start: usize) -> Place {
        let width = self.since(start).lines().next().map_or(1, |line| line.trim_end().chars().count().max(1));
        Place { width, ..self.source.place_of_offset(start) }
    }

    pub(super) fn wrong(&self, message: impl Into<String>) -> Diagnostic {
        self.source.diagnostic(self.place(), message)
    }

    pub(super) fn wrong_at(&self, place: Place, message: impl Into<String>) -> Diagnostic {
        self.source.diagnostic(place, message)
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let is_here = self.rest().starts_with(text);
        if is_here {
            self.at += text.len();
        }
        is_here
    }

    /// Goes on by so many bytes, which must end between characters.
    pub(super) fn take_bytes(&mut self, bytes: usize) {
        self.at += bytes;
    }

    pub(super) fn need(&mut self, text: &str) -> Parsed<()> {
        if self.eat(text) { Ok(()) } else { Err(self.wrong(format!("`{text}` is missing here"))) }
    }

    pub(super) fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let start = self.at;
        while self.peek().is_some_and(&belongs) {
            self.next();
        }
        self.since(start)
    }

    /// A word that is not the beginning of a longer one.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let follows = self.rest().strip_prefix(word).map(|rest| rest.chars().next());
        let is_whole = follows.is_some_and(|next| !next.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-'));
        is_whole && self.eat(word)
    }

    pub(super) fn spaces(&mut self) -> bool {
        !self.take_while(|c| c == ' ' || c == '\t').is_empty()
    }

    /// Spaces and line ends, inside JSON.
    pub(super) fn whitespace(&mut self) {
        self.take_while(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
    }

    /// The end of a line: spaces, a comment, a line break.
    pub(super) fn line_end(&mut self) -> Parsed<()> {
        self.spaces();
        self.comment();
        if self.is_end() || self.eat("\r\n") || self.eat("\n") {
            return Ok(());
        }
        Err(self.wrong("the line should end here").hint("a `#` begins a comment; `\\#` stands for the character"))
    }

    fn comment(&mut self) -> Option<&'a str> {
        self.eat("#").then(|| self.take_while(|c| c != '\n').trim_end_matches('\r'))
    }

    /// Skips empty lines and comments up to the first character of the next line that has something. Gives the
    /// comments since the last empty line.
    pub(super) fn blank_lines(&mut self) -> Vec<String> {
        let mut comments = Vec::new();
        loop {
            let before = self.at;
            self.spaces();
            let comment = self.comment();
            let ends = self.is_end() || self.eat("\r\n") || self.eat("\n");
            match comment {
                Some(comment) => comments.push(comment.trim().to_owned()),
                None if ends => comments.clear(),
                None => {}
            }
            if !ends || self.at == before {
                return comments;
            }
        }
    }

    /// The value after a colon: to the end of the line or a comment, without the spaces around it.
    pub(super) fn unquoted(&mut self) -> Parsed<Template> {
        let mut template = Builder::default();
        let mut kept = self.clone();
        let mut kept_pieces = 0;
        let mut kept_length = 0;
        while let Some(next) = self.peek().filter(|next| !matches!(next, '#' | '\n' | '\r')) {
            self.element(&mut template, &['#'])?;
            if !matches!(next, ' ' | '\t') {
                kept = self.clone();
                (kept_pieces, kept_length) = template.size();
            }
        }
        template.truncate(kept_pieces, kept_length);
        *self = kept;
        Ok(template.finish())
    }

    pub(super) fn quoted(&mut self) -> Parsed<Template> {
        self.between('"', "a text in double quotes")
    }

    pub(super) fn backticked(&mut self) -> Parsed<Template> {
        self.between('`', "a text in backticks")
    }

    fn between(&mut self, quote: char, what: &str) -> Parsed<Template> {
        let start = self.clone();
        if self.next() != Some(quote) {
            return Err(start.wrong(format!("{what} is missing here")));
        }
        let mut template = Builder::default();
        loop {
            match self.peek() {
                Some(next) if next == quote => break,
                None | Some('\n') => return Err(start.wrong(format!("{what} is not closed"))),
                Some(_) => self.element(&mut template, &['#', '"', '`'])?,
            }
        }
        self.next();
        Ok(template.finish())
    }

    /// One character, escape or placeholder.
    fn element(&mut self, template: &mut Builder, escapable: &[char]) -> Parsed<()> {
        if self.rest().starts_with("{{") {
            template.placeholder(self.placeholder()?);
        } else if self.rest().starts_with('\\') {
            template.push(self.escape(&[escapable, &['"', '`', '#']].concat())?);
        } else if let Some(next) = self.next() {
            template.push(next);
        }
        Ok(())
    }

    /// `\n`, `\u{1f600}`, or an escaped character of `allowed`.
    pub(super) fn escape(&mut self, allowed: &[char]) -> Parsed<char> {
        let start = self.clone();
        self.next();
        match self.next() {
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some(same @ ('\\' | '/')) => Ok(same),
            Some('u') => self.unicode(&start),
            Some(other) if allowed.contains(&other) => Ok(other),
            _ => Err(start.wrong("this is no escape").hint(r"there are \\ \/ \b \f \n \r \t \u{…} and the delimiter")),
        }
    }

    fn unicode(&mut self, start: &Self) -> Parsed<char> {
        self.need("{")?;
        let digits = self.take_while(|c| c.is_ascii_hexdigit());
        self.need("}")?;
        let character = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        character.ok_or_else(|| start.wrong("this is no Unicode character"))
    }

    pub(super) fn placeholder(&mut self) -> Parsed<Placeholder> {
        self.need("{{")?;
        self.spaces();
        let start = self.at;
        let name = self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '-').to_owned();
        let place = self.place_since(start);
        if name.is_empty() {
            return Err(self.wrong("a placeholder holds the name of a variable, `newUuid` or `newDate`"));
        }
        self.spaces();
        self.need("}}")?;
        Ok(match name.as_str() {
            "newUuid" => Placeholder::NewUuid,
            "newDate" => Placeholder::NewDate,
            _ => Placeholder::Variable { name, place },
        })
    }

    /// The key of a line like `key: value`; the colon is read. Nothing is read where there is none.
    pub(super) fn key(&mut self) -> Parsed<Option<Template>> {
        let mut ahead = self.clone();
        if ahead.rest().starts_with('[') {
            return Ok(None);
        }
        let mut template = Builder::default();
        loop {
            match ahead.peek() {
                Some('{') if ahead.rest().starts_with("{{") => match ahead.placeholder() {
                    Ok(placeholder) => template.placeholder(placeholder),
                    Err(_) => return Ok(None),
                },
                Some('\\') => template.push(ahead.escape(&['#', ':'])?),
                Some(c) if c.is_alphanumeric() || "_-.[]@$".contains(c) => {
                    template.push(c);
                    ahead.next();
                }
                _ => break,
            }
        }
        let template = template.finish();
        ahead.spaces();
        if template.is_empty() || !ahead.eat(":") {
            return Ok(None);
        }
        ahead.spaces();
        *self = ahead;
        Ok(Some(template))
    }

    /// A path, where spaces and some signs are escaped.
    pub(super) fn filename(&mut self) -> Parsed<Template> {
        const ESCAPABLE: &[char] = &['#', ';', ' ', '{', '}', ':'];
        let mut template = Builder::default();
        loop {
            match self.peek() {
                Some('{') if self.rest().starts_with("{{") => template.placeholder(self.placeholder()?),
                Some('\\') => template.push(self.escape(ESCAPABLE)?),
                None | Some('#' | ';' | '{' | '}' | ' ' | '\n' | '\r') => break,
                Some(c) => {
                    template.push(c);
                    self.next();
                }
            }
        }
        let template = template.finish();
        if template.is_empty() { Err(self.wrong("a file name is missing here")) } else { Ok(template) }
    }

    /// Splits a text into its placeholders and what is between them; nothing else is special in it.
    pub(super) fn template_of(&self, text: &str) -> Parsed<Template> {
        let mut template = Builder::default();
        let source = Source::new(self.source.name(), text);
        let mut inner = Scanner::new(&source);
        while let Some(next) = inner.peek() {
            if inner.rest().starts_with("{{") {
                template.placeholder(inner.placeholder().map_err(|error| self.wrong(error.message))?);
            } else {
                template.push(next);
                inner.next();
            }
        }
        Ok(template.finish())
    }
}

/// A template while it is read.
#[derive(Default)]
pub(super) struct Builder {
    pieces: Vec<Piece>,
}

impl Builder {
    pub(super) fn push(&mut self, character: char) {
        match self.pieces.last_mut() {
            Some(Piece::Text(text)) => text.push(character),
            _ => self.pieces.push(Piece::Text(character.into())),
        }
    }

    pub(super) fn placeholder(&mut self, placeholder: Placeholder) {
        self.pieces.push(Piece::Placeholder(placeholder));
    }

    /// How many pieces there are, and the bytes of the last text.
    fn size(&self) -> (usize, usize) {
        let last = self.pieces.last().map_or(0, |piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Placeholder(_) => 0,
        });
        (self.pieces.len(), last)
    }

    fn truncate(&mut self, pieces: usize, last: usize) {
        self.pieces.truncate(pieces);
        if let Some(Piece::Text(text)) = self.pieces.last_mut() {
            text.truncate(last);
        }
    }

    pub(super) fn finish(self) -> Template {
        Template(self.pieces)
    }
}
