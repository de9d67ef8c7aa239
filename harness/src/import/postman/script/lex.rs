//! JavaScript as tokens, as far as declarative test scripts need it.

/// A token, and where it stands in the script.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// As it is written.
    pub(super) text: &'a str,
    /// The script from this token on.
    pub(super) from: &'a str,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Name,
    Number,
    /// What the quotes hold.
    Text(String),
    /// What the slashes hold.
    Regex(String),
    /// One sign, or `=>`.
    Sign,
}

/// `None` where a text or a comment does not end.
pub(super) fn tokens(script: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut rest = script;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = &rest[first.len_utf8()..];
            continue;
        }
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
            continue;
        }
        if rest.starts_with("/*") {
            rest = &rest[rest.find("*/")? + 2..];
            continue;
        }
        // A slash begins a pattern where a value may begin, else it divides.
        let value_before =
            tokens.last().is_some_and(|last| last.kind != Kind::Sign || [")", "]", "}"].contains(&last.text));
        let (kind, length) = match first {
            '"' | '\'' | '`' => text(rest, first)?,
            '/' if !value_before => pattern(rest)?,
            _ if first.is_ascii_digit() => (Kind::Number, span(rest, |c| c.is_ascii_alphanumeric() || c == '.')),
            _ if first.is_alphanumeric() || "_$".contains(first) => {
                (Kind::Name, span(rest, |c| c.is_alphanumeric() || "_$".contains(c)))
            }
            _ if rest.starts_with("=>") => (Kind::Sign, 2),
            _ => (Kind::Sign, first.len_utf8()),
        };
        tokens.push(Token { kind, text: &rest[..length], from: rest });
        rest = &rest[length..];
    }
    Some(tokens)
}

fn span(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// A text in quotes. One in backticks with an expression inside is no text that is known.
fn text(rest: &str, quote: char) -> Option<(Kind, usize)> {
    let mut value = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            _ if c == quote => return Some((Kind::Text(value), at + c.len_utf8())),
            '\n' if quote != '`' => return None,
            '$' if quote == '`' && rest[at..].starts_with("${") => return None,
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'r' => value.push('\r'),
                'u' => {
                    let digits: String = characters.by_ref().take(4).map(|(_, digit)| digit).collect();
                    value.push(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)?);
                }
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

fn pattern(rest: &str) -> Option<(Kind, usize)> {
    let (mut in_class, mut is_escaped) = (false, false);
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '\n' => return None,
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => {
                let flags = span(&rest[at + 1..], |c| c.is_ascii_alphabetic());
                let body = rest[1..at].replace("\\/", "/");
                let insensitive = rest[at + 1..at + 1 + flags].contains('i');
                let pattern = if insensitive { format!("(?i){body}") } else { body };
                return Some((Kind::Regex(pattern), at + 1 + flags));
            }
            _ => {}
        }
    }
    None
}
