//! What chains of `pm` mean.

use std::collections::BTreeMap;

use super::{
    Capture, Script, Status, Unsupported, VARIABLE_MARK,
    lex::Token,
    parse::{Chain, Link, Parser, Statement, Value},
};
use crate::import::write::{Map, Yaml};

/// Names that stand for a part of the response: `const data = pm.response.json()`.
pub(super) type Aliases = BTreeMap<String, Subject>;

/// What an expectation looks at.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Subject {
    /// A `JSONPath`.
    Json(String),
    /// How long the list at the path is.
    Length(String),
    Status,
    ResponseTime,
    Text,
    Header(String),
}

/// Words of Chai that change nothing.
const NOISE: [&str; 20] = [
    "to", "be", "been", "is", "that", "which", "and", "has", "have", "with", "at", "of", "same", "but", "does",
    "still", "also", "deep", "own", "all",
];

const INCLUDE: [&str; 4] = ["include", "includes", "contain", "contains"];

pub(super) fn block(tokens: &[Token<'_>], aliases: &mut Aliases, script: &mut Script) {
    let mut parser = Parser::new(tokens);
    while let Some(statement) = parser.statement() {
        let understood = match &statement {
            None => None,
            Some(Statement::Let { name, value }) => {
                let subject = subject(value, aliases);
                // What it meant before, it does not mean any more.
                aliases.remove(*name);
                subject.map(|subject| drop(aliases.insert((*name).to_owned(), subject)))
            }
            Some(Statement::Chain(chain)) => chain_statement(chain, aliases, script),
        };
        if understood.is_none() {
            aliases.retain(|name, _| !is_assigned(parser.written(), name));
            script.unsupported.push(Unsupported::of(parser.written()));
        }
    }
}

/// Whether a statement that is not understood may give the name another meaning.
fn is_assigned(statement: &str, name: &str) -> bool {
    statement.match_indices(name).any(|(at, _)| {
        let after = statement[at + name.len()..].trim_start();
        after.starts_with('=') && !after.starts_with("==") && !after.starts_with("=>")
    })
}

fn chain_statement(chain: &Chain<'_>, aliases: &mut Aliases, script: &mut Script) -> Option<()> {
    let names: Vec<&str> =
        chain.iter().map_while(|link| if let Link::Name(name) = link { Some(*name) } else { None }).collect();
    match (&names[..], &chain[names.len()..]) {
        (["console", ..], _) => Some(()),
        (["pm", "test"], [Link::Call(arguments)]) => match &arguments[..] {
            [_, Value::Function(body)] => {
                block(body, &mut aliases.clone(), script);
                Some(())
            }
            _ => None,
        },
        (["pm", "expect"], [Link::Call(arguments), rest @ ..]) => {
            let [subject_value] = &arguments[..] else { return None };
            let Value::Chain(subject_chain) = subject_value else { return None };
            expectation(&subject(subject_chain, aliases)?, rest, script)
        }
        (["pm", "response", "to", ..], _) => response(&chain[2..], script),
        (["pm", "environment" | "collectionVariables" | "globals" | "variables", "set"], [Link::Call(arguments)]) => {
            let [Value::Text(name), Value::Chain(value)] = &arguments[..] else { return None };
            let rule = rule(&subject(value, aliases)?)?;
            script.captures.push(Capture { name: name.clone(), rule });
            Some(())
        }
        _ => None,
    }
}

/// The part of the response that a chain stands for.
fn subject(chain: &Chain<'_>, aliases: &Aliases) -> Option<Subject> {
    let (first, rest) = match &chain[..] {
        [Link::Name("pm"), Link::Name("response"), rest @ ..] => return of_response(rest),
        [Link::Name("JSON"), Link::Name("parse"), Link::Call(arguments), rest @ ..] => match &arguments[..] {
            [Value::Chain(text)] if subject(text, aliases) == Some(Subject::Text) => {
                (Subject::Json("$".to_owned()), rest)
            }
            _ => return None,
        },
        [Link::Name("responseBody")] => return Some(Subject::Text),
        [Link::Name(name), rest @ ..] => (aliases.get(*name)?.clone(), rest),
        _ => return None,
    };
    match first {
        Subject::Json(path) => within(path, rest),
        other => rest.is_empty().then_some(other),
    }
}

fn of_response(chain: &[Link<'_>]) -> Option<Subject> {
    match chain {
        [Link::Name("json"), Link::Call(_), rest @ ..] => within("$".to_owned(), rest),
        [Link::Name("code")] => Some(Subject::Status),
        [Link::Name("responseTime")] => Some(Subject::ResponseTime),
        [Link::Name("text"), Link::Call(_)] => Some(Subject::Text),
        [Link::Name("headers"), Link::Name("get"), Link::Call(arguments)] => match &arguments[..] {
            [Value::Text(name)] => Some(Subject::Header(name.clone())),
            _ => None,
        },
        _ => None,
    }
}

/// `.a["b c"][0]` as a path.
fn within(mut path: String, links: &[Link<'_>]) -> Option<Subject> {
    for (at, link) in links.iter().enumerate() {
        match link {
            Link::Name("length") if at + 1 == links.len() => return Some(Subject::Length(path)),
            Link::Name(name) => path.push_str(&member(name)),
            Link::Index(Value::Text(name)) => path.push_str(&member(name)),
            Link::Index(Value::Number(number)) => path.push_str(&format!("[{number}]")),
            _ => return None,
        }
    }
    Some(Subject::Json(path))
}

fn member(name: &str) -> String {
    let is_plain =
        name.chars().enumerate().all(|(at, c)| c == '_' || c.is_ascii_alphabetic() || at > 0 && c.is_ascii_digit());
    if is_plain && !name.is_empty() {
        format!(".{name}")
    } else {
        format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

/// As a query of a check.
fn query(subject: &Subject) -> Map {
    match subject {
        Subject::Json(path) => Map::one("jsonpath", path.as_str()),
        Subject::Length(path) => Map::one("jsonpath", path.as_str()).with("filters", vec![Yaml::from("count")]),
        Subject::Status => Map::one("status", true),
        Subject::ResponseTime => Map::one("duration_ms", true),
        Subject::Text => Map::one("body", true),
        Subject::Header(name) => Map::one("header", name.as_str()),
    }
}

/// As a rule of a capture.
fn rule(subject: &Subject) -> Option<Yaml> {
    match subject {
        Subject::Json(path) => Some(path.as_str().into()),
        Subject::ResponseTime => None,
        other => Some(query(other).into()),
    }
}

/// `.to.have.status(200)` and the like, behind `pm.response`.
fn response(links: &[Link<'_>], script: &mut Script) -> Option<()> {
    let links: Vec<&Link<'_>> =
        links.iter().filter(|link| !matches!(link, Link::Name(name) if NOISE.contains(name))).collect();
    let is_not = matches!(links.first(), Some(Link::Name("not")));
    match (is_not, &links[usize::from(is_not)..]) {
        (false, [Link::Name("status"), Link::Call(arguments)]) => match &arguments[..] {
            [Value::Number(code)] => script.require_status(Status::Codes(vec![code.clone()])),
            _ => return None,
        },
        (false, [Link::Name("json")]) => script.checks.push(Map::one("jsonpath", "$").with("exists", true)),
        (false, [Link::Name("withBody")]) => script.checks.push(Map::one("body", true).with("empty", false)),
        (false, [Link::Name(word)]) => script.require_status(status_word(word)?),
        (_, [Link::Name("header"), Link::Call(arguments)]) => {
            let (name, wanted) = match &arguments[..] {
                [Value::Text(name)] => (name, None),
                [Value::Text(name), value] if !is_not => (name, Some(literal(value)?)),
                _ => return None,
            };
            let check = Map::one("header", name.as_str());
            script.checks.push(match wanted {
                Some(value) => check.with("equals", value),
                None => check.with("exists", !is_not),
            });
        }
        (false, [Link::Name("jsonBody"), Link::Call(arguments)]) => match &arguments[..] {
            [] => script.checks.push(Map::one("jsonpath", "$").with("exists", true)),
            [Value::Text(path)] => script.checks.push(Map::one("jsonpath", dotted(path)?).with("exists", true)),
            [Value::Text(path), value] => {
                script.checks.push(Map::one("jsonpath", dotted(path)?).with("equals", literal(value)?))
            }
            _ => return None,
        },
        (_, [Link::Name("body"), Link::Call(arguments)]) => {
            let [value @ Value::Text(_)] = &arguments[..] else { return None };
            script
                .checks
                .push(Map::one("body", true).with(if is_not { "not_equals" } else { "equals" }, literal(value)?));
        }
        _ => return None,
    }
    Some(())
}

/// `a.b` as a path; anything else in it could mean several things.
fn dotted(path: &str) -> Option<String> {
    let is_plain = |name: &str| name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) && !name.is_empty();
    path.split('.').all(is_plain).then(|| format!("${}", path.split('.').map(member).collect::<String>()))
}

fn status_word(word: &str) -> Option<Status> {
    let code = match word {
        "info" => return Some(Status::Classes(1, 1)),
        "success" => return Some(Status::Classes(2, 2)),
        "redirection" => return Some(Status::Classes(3, 3)),
        "clientError" => return Some(Status::Classes(4, 4)),
        "serverError" => return Some(Status::Classes(5, 5)),
        "error" => return Some(Status::Classes(4, 5)),
        "ok" => "200",
        "accepted" => "202",
        "withoutContent" => "204",
        "badRequest" => "400",
        "unauthorized" | "unauthorised" => "401",
        "forbidden" => "403",
        "notFound" => "404",
        "rateLimited" => "429",
        _ => return None,
    };
    Some(Status::Codes(vec![code.to_owned()]))
}

/// What is behind `pm.expect(subject)`: all of it, or none.
fn expectation(subject: &Subject, links: &[Link<'_>], script: &mut Script) -> Option<()> {
    let is_deep = links.contains(&Link::Name("deep"));
    let links: Vec<&Link<'_>> =
        links.iter().filter(|link| !matches!(link, Link::Name(name) if NOISE.contains(name))).collect();
    let mut links = &links[..];
    let mut asked = Vec::new();
    let (mut subject, mut is_not) = (subject.clone(), false);
    while !links.is_empty() {
        match links {
            [Link::Name("not"), ..] => {
                is_not = true;
                links = &links[1..];
            }
            [Link::Name(word), Link::Call(arguments), ..] => {
                links = &links[2..];
                if let Some((inner, value)) = property(&subject, word, arguments) {
                    subject = inner;
                    let (name, value) = value.map_or(("exists", Yaml::Bool(true)), |value| ("equals", value));
                    asked.push(Asked { subject: subject.clone(), is_not, name, value });
                } else if let ([Value::Object(entries)], true) = (&arguments[..], INCLUDE.contains(word)) {
                    // Of a list, or denied, it means something else.
                    if is_deep || is_not {
                        return None;
                    }
                    for (subject, value) in members(&subject, entries)? {
                        asked.push(Asked { subject, is_not, name: "equals", value });
                    }
                } else {
                    let (name, value) = comparison(word, arguments)?;
                    asked.push(Asked { subject: subject.clone(), is_not, name, value });
                }
            }
            [Link::Name(word), ..] => {
                let (name, value) = question(word)?;
                asked.push(Asked { subject: subject.clone(), is_not, name, value });
                links = &links[1..];
            }
            _ => return None,
        }
    }
    all(asked, script)
}

/// One thing that is asked of a part of the response.
struct Asked {
    subject: Subject,
    is_not: bool,
    name: &'static str,
    value: Yaml,
}

/// The members of an object that `.include({a: 1})` names.
fn members(subject: &Subject, entries: &[(String, Value<'_>)]) -> Option<Vec<(Subject, Yaml)>> {
    let Subject::Json(path) = subject else { return None };
    let entry =
        |(name, value): &(String, Value<'_>)| Some((Subject::Json(format!("{path}{}", member(name))), scalar(value)?));
    entries.iter().map(entry).collect()
}

/// `.property("a")`, `.nested.property("a.b", 1)`: a look into the object.
fn property(subject: &Subject, word: &str, arguments: &[Value<'_>]) -> Option<(Subject, Option<Yaml>)> {
    let (Subject::Json(path), "property" | "ownProperty") = (subject, word) else { return None };
    match arguments {
        [Value::Text(name)] => Some((Subject::Json(format!("{path}{}", member(name))), None)),
        [Value::Text(name), value] => Some((Subject::Json(format!("{path}{}", member(name))), Some(literal(value)?))),
        _ => None,
    }
}

fn comparison(word: &str, arguments: &[Value<'_>]) -> Option<(&'static str, Yaml)> {
    let name = match (word, arguments) {
        ("match" | "matches", [Value::Regex(pattern)]) => return Some(("matches", pattern.as_str().into())),
        ("a" | "an", [Value::Text(kind)]) => {
            let known = ["string", "number", "boolean", "array", "object", "null"];
            return known.contains(&kind.to_lowercase().as_str()).then(|| ("type", kind.to_lowercase().into()));
        }
        ("eql" | "eqls" | "equal" | "equals" | "eq", [_]) => "equals",
        (word, [value]) if word == "string" || INCLUDE.contains(&word) => return Some(("contains", scalar(value)?)),
        ("above" | "gt" | "greaterThan", [_]) => "gt",
        ("least" | "gte" | "greaterThanOrEqual", [_]) => "gte",
        ("below" | "lt" | "lessThan", [_]) => "lt",
        ("most" | "lte" | "lessThanOrEqual", [_]) => "lte",
        ("lengthOf" | "length", [_]) => "length",
        ("oneOf", [Value::List(_)]) => "one_of",
        _ => return None,
    };
    Some((name, literal(arguments.first()?)?))
}

fn question(word: &str) -> Option<(&'static str, Yaml)> {
    Some(match word {
        "true" => ("equals", Yaml::Bool(true)),
        "false" => ("equals", Yaml::Bool(false)),
        "null" => ("equals", Yaml::Null),
        "undefined" => ("exists", Yaml::Bool(false)),
        "exist" => ("exists", Yaml::Bool(true)),
        "empty" => ("empty", Yaml::Bool(true)),
        _ => return None,
    })
}

/// The status and the time have places of their own; all else are checks. What is asked of the same part stands together.
fn all(asked: Vec<Asked>, script: &mut Script) -> Option<()> {
    let mut checks: Vec<(Subject, Map)> = Vec::new();
    let mut limits = Vec::new();
    let mut statuses = Vec::new();
    if asked.is_empty() {
        return None;
    }
    for Asked { subject, is_not, name, value } in asked {
        match (&subject, name, &value, is_not) {
            (Subject::Status, "equals" | "one_of", value, false) if codes(value).is_some() => {
                statuses.extend(codes(value));
            }
            (Subject::ResponseTime, "lt" | "lte", Yaml::Number(limit), false) => limits.push(limit.parse().ok()?),
            (_, "exists", Yaml::Bool(wanted), true) => checks.push((subject, Map::one("exists", !wanted))),
            (_, _, _, true) => checks.push((subject, Map::one("not", Map::one(name, value)))),
            (_, _, _, false) => match checks.last_mut() {
                Some((last, predicates)) if *last == subject && may_join(predicates, name) => {
                    predicates.set(name, value)
                }
                _ => checks.push((subject, Map::one(name, value))),
            },
        }
    }
    statuses.into_iter().for_each(|codes| script.require_status(Status::Codes(codes)));
    limits.into_iter().for_each(|limit| script.require_latency(limit));
    script.checks.extend(checks.into_iter().map(|(subject, predicates)| {
        let mut check = query(&subject);
        check.0.extend(predicates.0);
        check
    }));
    Some(())
}

/// Whether one more predicate of this name can stand beside these.
fn may_join(predicates: &Map, name: &str) -> bool {
    predicates.get(name).is_none() && predicates.get("not").is_none()
}

/// The codes of a rule for the status.
fn codes(rule: &Yaml) -> Option<Vec<String>> {
    let code = |value: &Yaml| if let Yaml::Number(code) = value { Some(code.clone()) } else { None };
    match rule {
        Yaml::List(items) => items.iter().map(code).collect(),
        one => code(one).map(|code| vec![code]),
    }
}

fn scalar(value: &Value<'_>) -> Option<Yaml> {
    literal(value).filter(|value| !matches!(value, Yaml::List(_) | Yaml::Map(_)))
}

/// A value that is known without running anything, or a variable.
fn literal(value: &Value<'_>) -> Option<Yaml> {
    Some(match value {
        Value::Null => Yaml::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => Yaml::Number(number.clone()),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => Yaml::List(items.iter().map(literal).collect::<Option<_>>()?),
        Value::Object(entries) => {
            let entry = |(key, value): &(String, Value<'_>)| Some((key.clone(), literal(value)?));
            Map(entries.iter().map(entry).collect::<Option<_>>()?).into()
        }
        Value::Chain(chain) => match &chain[..] {
            [
                Link::Name("pm"),
                Link::Name("environment" | "collectionVariables" | "globals" | "variables"),
                Link::Name("get"),
                Link::Call(arguments),
            ] => {
                let [Value::Text(name)] = &arguments[..] else { return None };
                format!("{VARIABLE_MARK}{name}").into()
            }
            _ => return None,
        },
        Value::Undefined | Value::Regex(_) | Value::Function(_) => return None,
    })
}
