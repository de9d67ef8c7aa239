//! Statements, and chains like `pm.expect(x).to.eql(1)`.

use super::lex::{Kind, Token};

const DEPTH_MAX: usize = 32; // of brackets within brackets in a value

/// One statement.
#[derive(Debug)]
pub(super) enum Statement<'a> {
    /// `const name = value;`
    Let {
        name: &'a str,
        value: Chain<'a>,
    },
    Chain(Chain<'a>),
}

/// A value with what is done to it: `a.b[0].c(1)`.
pub(super) type Chain<'a> = Vec<Link<'a>>;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Link<'a> {
    /// A name, first or behind a dot.
    Name(&'a str),
    /// `["key"]` or `[0]`
    Index(Value<'a>),
    Call(Vec<Value<'a>>),
    /// A literal at the beginning.
    Literal(Value<'a>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Undefined,
    Bool(bool),
    Number(String),
    Text(String),
    Regex(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
    Chain(Chain<'a>),
    /// The body of a function.
    Function(&'a [Token<'a>]),
}

pub(super) struct Parser<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    /// Where the last statement began.
    statement_at: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(tokens: &'a [Token<'a>]) -> Self {
        Self { tokens, at: 0, statement_at: 0 }
    }

    fn peek(&self) -> Option<&'a Token<'a>> {
        self.tokens.get(self.at)
    }

    fn is(&self, text: &str) -> bool {
        self.peek().is_some_and(|token| token.text == text && matches!(token.kind, Kind::Sign | Kind::Name))
    }

    fn eat(&mut self, text: &str) -> bool {
        let is_here = self.is(text);
        self.at += usize::from(is_here);
        is_here
    }

    /// The next statement, as far as it is of a known form; `None` at the end.
    pub(super) fn statement(&mut self) -> Option<Option<Statement<'a>>> {
        while self.eat(";") {}
        self.statement_at = self.at;
        self.peek()?;
        let known = self.known().filter(|_| self.ends());
        if known.is_some() {
            self.eat(";");
        } else {
            self.at = self.statement_at;
            self.skip();
        }
        Some(known)
    }

    /// The last statement as it is written.
    pub(super) fn written(&self) -> &'a str {
        let (Some(first), Some(last)) =
            (self.tokens.get(self.statement_at), self.tokens.get(self.at.saturating_sub(1)))
        else {
            return "";
        };
        &first.from[..first.from.len() - last.from.len() + last.text.len()]
    }

    fn known(&mut self) -> Option<Statement<'a>> {
        if self.eat("const") || self.eat("let") || self.eat("var") {
            let name = self.name()?;
            self.eat("=").then_some(())?;
            return Some(Statement::Let { name, value: self.chain(0)? });
        }
        // What begins with a keyword is no chain.
        let keyword =
            ["if", "for", "while", "function", "return", "try", "switch", "throw", "do", "async", "await", "new"];
        (!keyword.iter().any(|word| self.is(word))).then_some(())?;
        self.chain(0).map(Statement::Chain)
    }

    /// Whether a statement may end here: line breaks do, but an operator goes on.
    fn ends(&self) -> bool {
        self.peek().is_none_or(|token| token.kind == Kind::Name || [";", "}", "{"].contains(&token.text))
    }

    /// Goes behind a statement whatever it is: to its semicolon or its block's end, outside of brackets.
    fn skip(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.peek() {
            self.at += 1;
            let is_sign = token.kind == Kind::Sign;
            match token.text {
                "(" | "[" | "{" if is_sign => depth += 1,
                ")" | "]" if is_sign => depth = depth.saturating_sub(1),
                "}" if is_sign => {
                    depth = depth.saturating_sub(1);
                    let goes_on = self.is("else")
                        || self.is("catch")
                        || self.is("finally")
                        || self.is(")")
                        || self.is(";")
                        || self.is(",");
                    if depth == 0 && !goes_on {
                        return;
                    }
                }
                ";" if is_sign && depth == 0 => return,
                _ => {}
            }
        }
    }

    fn name(&mut self) -> Option<&'a str> {
        let token = self.peek().filter(|token| token.kind == Kind::Name)?;
        self.at += 1;
        Some(token.text)
    }

    fn chain(&mut self, depth: usize) -> Option<Chain<'a>> {
        let mut chain = match self.peek()?.kind {
            Kind::Name => vec![Link::Name(self.name()?)],
            _ => vec![Link::Literal(self.literal(depth)?)],
        };
        loop {
            if self.eat(".") {
                chain.push(Link::Name(self.name()?));
            } else if self.eat("[") {
                chain.push(Link::Index(self.value(depth + 1)?));
                self.eat("]").then_some(())?;
            } else if self.eat("(") {
                chain.push(Link::Call(self.values(")", depth + 1)?));
            } else {
                return Some(chain);
            }
        }
    }

    fn values(&mut self, close: &str, depth: usize) -> Option<Vec<Value<'a>>> {
        let mut values = Vec::new();
        loop {
            if self.eat(close) {
                return Some(values);
            }
            values.push(self.value(depth)?);
            if !self.eat(",") {
                return self.eat(close).then_some(values);
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        (depth < DEPTH_MAX).then_some(())?;
        if let Some(body) = self.function() {
            return Some(Value::Function(body));
        }
        for (word, value) in [
            ("null", Value::Null),
            ("undefined", Value::Undefined),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
        ] {
            if self.eat(word) {
                return Some(value);
            }
        }
        match self.peek()?.kind {
            Kind::Name => self.chain(depth).map(Value::Chain),
            _ => self.literal(depth),
        }
    }

    fn literal(&mut self, depth: usize) -> Option<Value<'a>> {
        (depth < DEPTH_MAX).then_some(())?;
        let token = self.peek()?;
        self.at += 1;
        match (&token.kind, token.text) {
            (Kind::Text(text), _) => Some(Value::Text(text.clone())),
            (Kind::Regex(pattern), _) => Some(Value::Regex(pattern.clone())),
            (Kind::Number, text) => text.parse::<f64>().ok().map(|_| Value::Number(text.to_owned())),
            (Kind::Sign, "-") => {
                let number = self.peek().filter(|token| token.kind == Kind::Number)?;
                self.at += 1;
                Some(Value::Number(format!("-{}", number.text)))
            }
            (Kind::Sign, "[") => self.values("]", depth + 1).map(Value::List),
            (Kind::Sign, "{") => self.object(depth + 1).map(Value::Object),
            _ => None,
        }
    }

    fn object(&mut self, depth: usize) -> Option<Vec<(String, Value<'a>)>> {
        let mut entries = Vec::new();
        loop {
            if self.eat("}") {
                return Some(entries);
            }
            let token = self.peek()?;
            self.at += 1;
            let key = match &token.kind {
                Kind::Name | Kind::Number => token.text.to_owned(),
                Kind::Text(text) => text.clone(),
                Kind::Sign | Kind::Regex(_) => return None,
            };
            self.eat(":").then_some(())?;
            entries.push((key, self.value(depth)?));
            if !self.eat(",") {
                return self.eat("}").then_some(entries);
            }
        }
    }

    /// `function () {…}`, `() => {…}`, `() => statement`: the tokens of the body.
    fn function(&mut self) -> Option<&'a [Token<'a>]> {
        let start = self.at;
        let body = self.function_body();
        if body.is_none() {
            self.at = start;
        }
        body
    }

    fn function_body(&mut self) -> Option<&'a [Token<'a>]> {
        let is_classic = self.eat("function");
        if is_classic && self.peek().is_some_and(|token| token.kind == Kind::Name) {
            self.at += 1;
        }
        self.eat("(").then_some(())?;
        while self.peek()?.kind == Kind::Name || self.is(",") {
            self.at += 1;
        }
        self.eat(")").then_some(())?;
        (is_classic || self.eat("=>")).then_some(())?;
        let has_block = self.eat("{");
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            let token = self.peek()?;
            if token.kind == Kind::Sign {
                match token.text {
                    "}" if has_block && depth == 0 => break,
                    ")" | "," if !has_block && depth == 0 => break,
                    "(" | "[" | "{" => depth += 1,
                    ")" | "]" | "}" => depth = depth.checked_sub(1)?,
                    _ => {}
                }
            }
            self.at += 1;
        }
        let body = &self.tokens[start..self.at];
        self.at += usize::from(has_block);
        Some(body)
    }
}
