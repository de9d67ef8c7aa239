//! Entries: the request line, headers, sections, the body, and the response.

use located::{Diagnostic, Place, Source};

use super::{
    assert,
    ast::{Body, Entry, Pair, Response},
    body, options,
    scan::{Parsed, Scanner},
    section,
};

const ENTRIES_MAX: usize = 1_000; // as many steps as a scenario may have

/// The entries of a file, in order.
pub(super) fn entries(source: &Source) -> Parsed<Vec<Entry>> {
    let mut scanner = Scanner::new(source);
    let mut entries = Vec::new();
    loop {
        let comments = scanner.blank_lines();
        if scanner.is_end() {
            return Ok(entries);
        }
        if entries.len() == ENTRIES_MAX {
            return Err(scanner.wrong(format!("more than {ENTRIES_MAX} entries")).hint("split the file"));
        }
        entries.push(entry(&mut scanner, comments)?);
    }
}

fn entry(scanner: &mut Scanner<'_>, comments: Vec<String>) -> Parsed<Entry> {
    let start = scanner.offset();
    let method = scanner.take_while(|c| c.is_ascii_uppercase()).to_owned();
    if method.is_empty() || !scanner.spaces() {
        return Err(scanner
            .wrong("a request begins here, with a method and a URL")
            .hint("like `GET http://localhost/`"));
    }
    let url = scanner.unquoted()?;
    if url.is_empty() {
        return Err(scanner.wrong("the URL is missing here"));
    }
    let place = scanner.place_since(start);
    scanner.line_end()?;
    let mut entry = Entry {
        place,
        comments,
        method,
        url,
        headers: pairs(scanner)?,
        query: Vec::new(),
        form: Vec::new(),
        multipart: Vec::new(),
        cookies: Vec::new(),
        basic_auth: None,
        options: Vec::new(),
        body: None,
        response: None,
    };
    request_sections(scanner, &mut entry)?;
    entry.body = optional_body(scanner)?;
    if at_response(scanner) {
        entry.response = Some(response(scanner)?);
    }
    Ok(entry)
}

fn request_sections(scanner: &mut Scanner<'_>, entry: &mut Entry) -> Parsed<()> {
    let mut seen = Vec::new();
    while let Some((name, place)) = section_name(scanner)? {
        once(scanner, &mut seen, name, place)?;
        match name {
            "Query" | "QueryStringParams" => entry.query = pairs(scanner)?,
            "Form" | "FormParams" => entry.form = pairs(scanner)?,
            "Multipart" | "MultipartFormData" => entry.multipart = section::multipart(scanner)?,
            "Cookies" => entry.cookies = pairs(scanner)?,
            "BasicAuth" => entry.basic_auth = pairs(scanner)?.pop(),
            "Options" => entry.options = options::options(scanner)?,
            _ => {
                let hint = "a request has Query, Form, Multipart, Cookies, BasicAuth and Options";
                return Err(unknown_section(scanner, name, place).hint(hint));
            }
        }
    }
    Ok(())
}

fn response(scanner: &mut Scanner<'_>) -> Parsed<Response> {
    scanner.blank_lines();
    scanner.need("HTTP")?;
    let version = version(scanner)?;
    if !scanner.spaces() {
        return Err(scanner.wrong("a status, or `*`, follows the version"));
    }
    let status = status(scanner)?;
    scanner.line_end()?;
    let headers = pairs(scanner)?;
    let (mut captures, mut asserts, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    while let Some((name, place)) = section_name(scanner)? {
        once(scanner, &mut seen, name, place)?;
        match name {
            "Captures" => captures = assert::captures(scanner)?,
            "Asserts" => asserts = assert::asserts(scanner)?,
            _ => return Err(unknown_section(scanner, name, place).hint("a response has Captures and Asserts")),
        }
    }
    Ok(Response { version, status, headers, captures, asserts, body: optional_body(scanner)? })
}

fn version(scanner: &mut Scanner<'_>) -> Parsed<Option<&'static str>> {
    if !scanner.eat("/") {
        return Ok(None);
    }
    let known = [("1.0", "HTTP/1.0"), ("1.1", "HTTP/1.1"), ("2", "HTTP/2"), ("3", "HTTP/3")];
    let found = known.into_iter().find(|(written, _)| scanner.eat(written));
    found
        .map(|(_, version)| Some(version))
        .ok_or_else(|| scanner.wrong("there are HTTP/1.0, HTTP/1.1, HTTP/2 and HTTP/3"))
}

fn status(scanner: &mut Scanner<'_>) -> Parsed<Option<u64>> {
    if scanner.eat("*") {
        return Ok(None);
    }
    let here = scanner.clone();
    let digits = scanner.take_while(|c| c.is_ascii_digit());
    digits.parse().map(Some).map_err(|_| here.wrong("a status is a number, or `*` for any"))
}

/// `key: value` lines, up to the first line that is none.
fn pairs(scanner: &mut Scanner<'_>) -> Parsed<Vec<Pair>> {
    let mut pairs = Vec::new();
    while let Some(pair) = pair(scanner)? {
        pairs.push(pair);
    }
    Ok(pairs)
}

pub(super) fn pair(scanner: &mut Scanner<'_>) -> Parsed<Option<Pair>> {
    let mut ahead = scanner.clone();
    ahead.blank_lines();
    let Some(key) = ahead.key()? else { return Ok(None) };
    let value = ahead.unquoted()?;
    ahead.line_end()?;
    *scanner = ahead;
    Ok(Some(Pair { key, value }))
}

/// The name in brackets that begins a section, if one begins here.
fn section_name<'a>(scanner: &mut Scanner<'a>) -> Parsed<Option<(&'a str, Place)>> {
    let mut ahead = scanner.clone();
    ahead.blank_lines();
    let start = ahead.offset();
    if !ahead.eat("[") {
        return Ok(None);
    }
    let name = ahead.take_while(char::is_alphanumeric);
    // `[]` and `[1, 2]` are JSON bodies.
    if name.is_empty() || !ahead.eat("]") {
        return Ok(None);
    }
    let place = ahead.place_since(start);
    ahead.line_end()?;
    *scanner = ahead;
    Ok(Some((name, place)))
}

fn once<'a>(scanner: &Scanner<'_>, seen: &mut Vec<&'a str>, name: &'a str, place: Place) -> Parsed<()> {
    if seen.contains(&name) {
        return Err(scanner.wrong_at(place, format!("the section `{name}` stands twice")));
    }
    seen.push(name);
    Ok(())
}

fn unknown_section(scanner: &Scanner<'_>, name: &str, place: Place) -> Diagnostic {
    scanner.wrong_at(place, format!("there is no section `{name}` here"))
}

fn at_response(scanner: &Scanner<'_>) -> bool {
    let mut ahead = scanner.clone();
    ahead.blank_lines();
    ahead.rest().strip_prefix("HTTP").is_some_and(|rest| rest.starts_with(['/', ' ', '\t']))
}

fn at_request(scanner: &Scanner<'_>) -> bool {
    let mut ahead = scanner.clone();
    !ahead.take_while(|c| c.is_ascii_uppercase()).is_empty() && ahead.spaces()
}

fn optional_body(scanner: &mut Scanner<'_>) -> Parsed<Option<Body>> {
    let mut ahead = scanner.clone();
    ahead.blank_lines();
    if ahead.is_end() || at_response(&ahead) || at_request(&ahead) {
        return Ok(None);
    }
    let Some(body) = body::body(&mut ahead)? else { return Ok(None) };
    ahead.line_end()?;
    *scanner = ahead;
    Ok(Some(body))
}
