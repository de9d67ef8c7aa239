//! From a text to a filter: `or` holds less than `and`, which holds less than `not (…)`.

use serde_json::Value;

use super::{Filter, Operator, Path};

const TEXT_BYTES_MAX: usize = 8 * 1024; // of a query string
const DEPTH_MAX: usize = 16; // brackets within brackets

/// Why a text is no filter, and from which byte on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why} at {at}")]
pub(in crate::services) struct Misfit {
    pub(in crate::services) at: usize,
    pub(in crate::services) why: &'static str,
}

impl Filter {
    pub(in crate::services) fn parse(text: &str) -> Result<Self, Misfit> {
        let mut parser = Parser { text, at: 0, depth: 0 };
        if text.len() > TEXT_BYTES_MAX {
            return Err(parser.misfit("the filter is too long"));
        }
        let filter = parser.any()?;
        parser.skip_spaces();
        if parser.rest().is_empty() { Ok(filter) } else { Err(parser.misfit("expected `and`, `or` or the end")) }
    }
}

impl Path {
    /// `name.givenName`, with the name of its schema before it or without.
    pub(in crate::services) fn parse(text: &str) -> Option<Self> {
        let is_long = text.get(..4).is_some_and(|begin| begin.eq_ignore_ascii_case("urn:"));
        let (schema, rest) = if is_long { text.rsplit_once(':')? } else { ("", text) };
        let names: Vec<_> = rest.split('.').map(str::to_owned).collect();
        let is_name = |name: &String| {
            let mut letters = name.bytes();
            letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_' || first == b'$')
                && letters.all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_' | b'$'))
        };
        let schema = Some(schema).filter(|schema| !schema.is_empty()).map(str::to_owned);
        names.iter().all(is_name).then_some(Self { schema, names })
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn misfit(&self, why: &'static str) -> Misfit {
        Misfit { at: self.at, why }
    }

    fn skip_spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// The word that comes next: up to a space or a bracket.
    fn peek_word(&mut self) -> &'t str {
        self.skip_spaces();
        let rest = self.rest();
        let end = rest.find(|letter: char| letter.is_whitespace() || "()[]\"".contains(letter)).unwrap_or(rest.len());
        &rest[..end]
    }

    fn take_word(&mut self, word: &str) -> bool {
        let next = self.peek_word();
        let is_it = next.eq_ignore_ascii_case(word);
        if is_it {
            self.at += next.len();
        }
        is_it
    }

    fn take(&mut self, mark: char) -> bool {
        self.skip_spaces();
        let is_it = self.rest().starts_with(mark);
        if is_it {
            self.at += mark.len_utf8();
        }
        is_it
    }

    fn any(&mut self) -> Result<Filter, Misfit> {
        let mut filters = vec![self.all()?];
        while self.take_word("or") {
            filters.push(self.all()?);
        }
        Ok(if filters.len() == 1 { filters.remove(0) } else { Filter::Any(filters) })
    }

    fn all(&mut self) -> Result<Filter, Misfit> {
        let mut filters = vec![self.one()?];
        while self.take_word("and") {
            filters.push(self.one()?);
        }
        Ok(if filters.len() == 1 { filters.remove(0) } else { Filter::All(filters) })
    }

    fn one(&mut self) -> Result<Filter, Misfit> {
        if self.take('(') {
            return self.inside(')');
        }
        let before = self.at;
        if self.take_word("not") {
            if self.take('(') {
                return Ok(Filter::Not(Box::new(self.inside(')')?)));
            }
            self.at = before;
        }
        let word = self.peek_word();
        let path = Path::parse(word).ok_or_else(|| self.misfit("expected the name of an attribute"))?;
        self.at += word.len();
        if self.rest().starts_with('[') {
            self.at += 1;
            return Ok(Filter::Has(path, Box::new(self.inside(']')?)));
        }
        if self.take_word("pr") {
            return Ok(Filter::Present(path));
        }
        let operator = self.operator()?;
        let value = self.value()?;
        let is_ordered = matches!(operator, Operator::Gt | Operator::Ge | Operator::Lt | Operator::Le);
        let is_partial = matches!(operator, Operator::Co | Operator::Sw | Operator::Ew);
        if is_ordered && (value.is_boolean() || value.is_null()) || is_partial && !value.is_string() {
            return Err(self.misfit("the operator does not fit the value"));
        }
        Ok(Filter::Compare(path, operator, value))
    }

    /// A filter in brackets, up to `end`.
    fn inside(&mut self, end: char) -> Result<Filter, Misfit> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.misfit("too many brackets within brackets"));
        }
        let filter = self.any()?;
        self.depth -= 1;
        if self.take(end) { Ok(filter) } else { Err(self.misfit("a bracket is not closed")) }
    }

    fn operator(&mut self) -> Result<Operator, Misfit> {
        let word = self.peek_word();
        let operator = match word.to_ascii_lowercase().as_str() {
            "eq" => Operator::Eq,
            "ne" => Operator::Ne,
            "co" => Operator::Co,
            "sw" => Operator::Sw,
            "ew" => Operator::Ew,
            "gt" => Operator::Gt,
            "ge" => Operator::Ge,
            "lt" => Operator::Lt,
            "le" => Operator::Le,
            _ => return Err(self.misfit("expected an operator")),
        };
        self.at += word.len();
        Ok(operator)
    }

    /// As JSON writes it: text, a number, `true`, `false`, `null`.
    fn value(&mut self) -> Result<Value, Misfit> {
        self.skip_spaces();
        let length = if self.rest().starts_with('"') { quoted(self.rest()) } else { Some(self.peek_word().len()) };
        let text = &self.rest()[..length.ok_or_else(|| self.misfit("a text is not closed"))?];
        let value = serde_json::from_str(text).map_err(|_| self.misfit("expected a value"))?;
        self.at += text.len();
        Ok(value)
    }
}

/// How long a text in quotes is, with its quotes.
fn quoted(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    let end = text.bytes().skip(1).position(|letter| {
        let is_end = letter == b'"' && !is_escaped;
        is_escaped = letter == b'\\' && !is_escaped;
        is_end
    })?;
    Some(end + 2) // both quotes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, at, why) in [
            ("", 0, "expected the name of an attribute"),
            ("userName", 8, "expected an operator"),
            ("userName is \"x\"", 9, "expected an operator"),
            ("userName eq x", 12, "expected a value"),
            ("userName eq \"x", 12, "a text is not closed"),
            ("(a eq 1", 7, "a bracket is not closed"),
            ("a[b eq 1", 8, "a bracket is not closed"),
            ("a eq 1 b", 7, "expected `and`, `or` or the end"),
            ("a gt true", 9, "the operator does not fit the value"),
            ("a co 1", 6, "the operator does not fit the value"),
            ("1a eq 1", 0, "expected the name of an attribute"),
        ] {
            assert_eq!(Filter::parse(text), Err(Misfit { at, why }), "{text}");
        }
        let deep = format!("{}a pr{}", "(".repeat(17), ")".repeat(17));
        assert_eq!(Filter::parse(&deep).map_err(|misfit| misfit.why), Err("too many brackets within brackets"));
        let long = format!("a eq \"{}\"", "x".repeat(TEXT_BYTES_MAX));
        assert_eq!(Filter::parse(&long).map_err(|misfit| misfit.why), Err("the filter is too long"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String, near in "(not|and|or|a|eq|pr|1|\"x\"|[ ()\\[\\].:é]){0,30}") {
            for text in [text, near] {
                if let Err(misfit) = Filter::parse(&text) {
                    proptest::prop_assert!(misfit.at <= text.len());
                }
            }
        }
    }
}
