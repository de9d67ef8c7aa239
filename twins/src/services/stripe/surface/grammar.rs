//! Reads `surface.txt`; the head of the script that writes it says what its lines mean.

use super::{Field, Fields, Kind, Presence};

/// Parameters by operation, fields by object.
pub(super) fn parse(text: &'static str) -> Option<(Fields, Fields)> {
    let (mut params, mut objects) = (Fields::new(), Fields::new());
    let mut current: Option<&mut Vec<Field>> = None;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("params ") {
            current = Some(params.entry(name).or_default());
        } else if let Some(name) = line.strip_prefix("object ") {
            current = Some(objects.entry(name).or_default());
        } else {
            current.as_mut()?.push(Reader { rest: line.trim_start() }.field()?);
        }
    }
    Some((params, objects))
}

struct Reader {
    rest: &'static str,
}

impl Reader {
    fn field(&mut self) -> Option<Field> {
        let (head, rest) = self.rest.split_once(' ')?;
        self.rest = rest;
        let name = head.trim_end_matches(['!', '?', '~']);
        let marks = &head[name.len()..];
        let presence = match marks.chars().next() {
            Some('!') => Presence::Required,
            Some('?') => Presence::Optional,
            _ => Presence::Usual,
        };
        Some(Field { name, kind: self.kind()?, presence, nullable: marks.ends_with('~') })
    }

    fn kind(&mut self) -> Option<Kind> {
        let first = self.rest.chars().next()?;
        self.rest = &self.rest[first.len_utf8()..];
        Some(match first {
            's' | 'd' => Kind::Text,
            'i' => Kind::Integer,
            'f' => Kind::Number,
            'b' => Kind::Boolean,
            'm' => Kind::Metadata,
            'r' => Kind::Range,
            '*' => Kind::Anything,
            '(' => Kind::OneOf(self.words()?),
            't' => {
                self.rest = self.rest.strip_prefix('(')?;
                Kind::IntegerOr(self.words()?)
            }
            '[' => {
                let inner = self.kind()?;
                self.rest = self.rest.strip_prefix(']')?;
                Kind::List(Box::new(inner))
            }
            '{' => Kind::Object(self.fields()?),
            '@' => Kind::Reference(self.name()),
            'L' => {
                self.rest = self.rest.strip_prefix('@')?;
                self.name();
                Kind::Page
            }
            _ => return None,
        })
    }

    fn words(&mut self) -> Option<Vec<&'static str>> {
        let (words, rest) = self.rest.split_once(')')?;
        self.rest = rest;
        Some(words.split('|').collect())
    }

    fn fields(&mut self) -> Option<Vec<Field>> {
        let mut fields = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if let Some(rest) = self.rest.strip_prefix('}') {
                self.rest = rest;
                return Some(fields);
            }
            fields.push(self.field()?);
        }
    }

    fn name(&mut self) -> &'static str {
        let end = self.rest.find([' ', '}', ']']).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name
    }
}
