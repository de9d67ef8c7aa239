//! Bodies: JSON, XML, texts in backticks, GraphQL, bytes, files.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{
    ast::{Body, BodyKind, Json, Template, TextKind},
    scan::{Builder, Parsed, Scanner},
};

const JSON_DEPTH_MAX: usize = 60; // what a scenario file can hold too

/// Padding is optional in Hurl files.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The body that begins here, if one does.
pub(super) fn body(scanner: &mut Scanner<'_>) -> Parsed<Option<Body>> {
    let start = scanner.offset();
    let kind = kind(scanner)?;
    Ok(kind.map(|kind| Body { place: scanner.place_since(start), kind }))
}

fn kind(scanner: &mut Scanner<'_>) -> Parsed<Option<BodyKind>> {
    if scanner.rest().starts_with("```") {
        return multiline(scanner).map(Some);
    }
    if let Some(bytes) = bytes(scanner)? {
        return Ok(Some(BodyKind::Bytes(bytes)));
    }
    if let Some(file) = file(scanner)? {
        return Ok(Some(BodyKind::File(file)));
    }
    match scanner.peek() {
        Some('`') => scanner.backticked().map(|text| Some(BodyKind::Text(text, TextKind::Plain))),
        Some('<') => xml(scanner).map(|text| Some(BodyKind::Xml(Template::text(text)))),
        Some(_) => {
            let start = scanner.offset();
            let value = json(scanner, 0)?;
            Ok(Some(BodyKind::Json(value, scanner.template_of(scanner.since(start))?)))
        }
        None => Ok(None),
    }
}

fn json(scanner: &mut Scanner<'_>, depth: usize) -> Parsed<Json> {
    if depth > JSON_DEPTH_MAX {
        return Err(scanner.wrong(format!("JSON deeper than {JSON_DEPTH_MAX} levels")));
    }
    if scanner.rest().starts_with("{{") {
        return scanner.placeholder().map(Json::Placeholder);
    }
    if let Some(number) = json_number(scanner) {
        return Ok(Json::Number(number));
    }
    match scanner.peek() {
        Some('"') => json_text(scanner).map(Json::Text),
        Some('[') => items(scanner, ']', |scanner| json(scanner, depth + 1)).map(Json::List),
        Some('{') => items(scanner, '}', |scanner| member(scanner, depth + 1)).map(Json::Object),
        _ if scanner.eat_word("null") => Ok(Json::Null),
        _ if scanner.eat_word("true") => Ok(Json::Bool(true)),
        _ if scanner.eat_word("false") => Ok(Json::Bool(false)),
        _ => Err(scanner.wrong("neither a request, nor a section, nor a body begins here")),
    }
}

/// What stands between brackets, separated by commas.
fn items<'a, T>(
    scanner: &mut Scanner<'a>,
    close: char,
    mut item: impl FnMut(&mut Scanner<'a>) -> Parsed<T>,
) -> Parsed<Vec<T>> {
    scanner.next();
    scanner.whitespace();
    let mut items = Vec::new();
    if scanner.peek() == Some(close) {
        scanner.next();
        return Ok(items);
    }
    loop {
        scanner.whitespace();
        items.push(item(scanner)?);
        scanner.whitespace();
        match scanner.peek() {
            Some(',') => {
                scanner.next();
            }
            Some(end) if end == close => {
                scanner.next();
                return Ok(items);
            }
            _ => return Err(scanner.wrong(format!("`,` or `{close}` is missing here"))),
        }
    }
}

fn member(scanner: &mut Scanner<'_>, depth: usize) -> Parsed<(Template, Json)> {
    let key = json_text(scanner)?;
    scanner.whitespace();
    scanner.need(":")?;
    scanner.whitespace();
    Ok((key, json(scanner, depth)?))
}

/// A text as JSON writes it: its `\u` escapes differ from those of the rest of the file.
fn json_text(scanner: &mut Scanner<'_>) -> Parsed<Template> {
    let start = scanner.clone();
    scanner.need("\"")?;
    let mut template = Builder::default();
    loop {
        match scanner.peek() {
            Some('"') => break,
            None | Some('\n') => return Err(start.wrong("the text is not closed")),
            Some('{') if scanner.rest().starts_with("{{") => template.placeholder(scanner.placeholder()?),
            Some('\\') if scanner.rest().starts_with("\\u") => {
                json_unicode(scanner)?.chars().for_each(|c| template.push(c))
            }
            Some('\\') => template.push(scanner.escape(&['"'])?),
            Some(other) => {
                template.push(other);
                scanner.next();
            }
        }
    }
    scanner.next();
    Ok(template.finish())
}

/// One or several `\uXXXX`; two may make one character.
fn json_unicode(scanner: &mut Scanner<'_>) -> Parsed<String> {
    let here = scanner.clone();
    let mut units = Vec::new();
    while scanner.rest().starts_with("\\u") {
        let digits = scanner.rest().get(2..6).and_then(|digits| u16::from_str_radix(digits, 16).ok());
        units.push(digits.ok_or_else(|| here.wrong("four hexadecimal digits follow `\\u`"))?);
        (0..6).for_each(|_| {
            scanner.next();
        });
    }
    String::from_utf16(&units).map_err(|_| here.wrong("this is no Unicode character"))
}

/// A number as it is written, with at most a fraction.
pub(super) fn number(scanner: &mut Scanner<'_>) -> Option<String> {
    let mut ahead = scanner.clone();
    let start = ahead.offset();
    ahead.eat("-");
    if ahead.take_while(|c| c.is_ascii_digit()).is_empty() {
        return None;
    }
    let mut fraction = ahead.clone();
    if fraction.eat(".") && !fraction.take_while(|c| c.is_ascii_digit()).is_empty() {
        ahead = fraction;
    }
    let number = ahead.since(start).to_owned();
    *scanner = ahead;
    Some(number)
}

/// In JSON there may be an exponent.
fn json_number(scanner: &mut Scanner<'_>) -> Option<String> {
    let mut number = number(scanner)?;
    let mut ahead = scanner.clone();
    let start = ahead.offset();
    if ahead.eat("e") || ahead.eat("E") {
        let _ = ahead.eat("-") || ahead.eat("+");
        if !ahead.take_while(|c| c.is_ascii_digit()).is_empty() {
            number.push_str(ahead.since(start));
            *scanner = ahead;
        }
    }
    Some(number)
}

/// One XML element with what may stand before it, as it is written.
fn xml(scanner: &mut Scanner<'_>) -> Parsed<String> {
    let start = scanner.clone();
    let mut depth = 0_usize;
    loop {
        let Some(skipped) = scanner.rest().find('<') else { return Err(start.wrong("the XML does not end")) };
        scanner.take_bytes(skipped);
        let rest = scanner.rest();
        let end = match rest {
            _ if rest.starts_with("<!--") => "-->",
            _ if rest.starts_with("<![CDATA[") => "]]>",
            _ if rest.starts_with("<?") => "?>",
            _ => ">",
        };
        let is_tag = end == ">" && !rest.starts_with("<!");
        let length = if is_tag { tag_length(rest) } else { rest.find(end).map(|at| at + end.len()) };
        let Some(length) = length else { return Err(start.wrong("the XML does not end")) };
        let tag = &rest[..length];
        scanner.take_bytes(length);
        if is_tag {
            match (tag.starts_with("</"), tag.ends_with("/>")) {
                (true, _) => depth = depth.saturating_sub(1),
                (false, false) => depth += 1,
                (false, true) => {}
            }
            if depth == 0 {
                return Ok(scanner.since(start.offset()).to_owned());
            }
        }
    }
}

/// A `>` inside an attribute's quotes does not end the tag.
fn tag_length(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, '>') => return Some(at + 1),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    None
}

/// `hex,…;` or `base64,…;`
pub(super) fn bytes(scanner: &mut Scanner<'_>) -> Parsed<Option<Vec<u8>>> {
    let here = scanner.clone();
    let is_hex = scanner.eat("hex,");
    if !is_hex && !scanner.eat("base64,") {
        return Ok(None);
    }
    let written: String = scanner.take_while(|c| c != ';').split_whitespace().collect();
    scanner.need(";")?;
    let decoded = if is_hex {
        hex::decode(&written).map_err(|error| error.to_string())
    } else {
        BASE64.decode(&written).map_err(|error| error.to_string())
    };
    decoded.map(Some).map_err(|error| here.wrong(format!("these bytes cannot be read: {error}")))
}

/// `file,path;`
pub(super) fn file(scanner: &mut Scanner<'_>) -> Parsed<Option<Template>> {
    if !scanner.eat("file,") {
        return Ok(None);
    }
    scanner.spaces();
    let file = scanner.filename()?;
    scanner.spaces();
    scanner.need(";")?;
    Ok(Some(file))
}

/// A text between three backticks that is a value, not a body.
pub(super) fn multiline_text(scanner: &mut Scanner<'_>) -> Parsed<Template> {
    let here = scanner.clone();
    match multiline(scanner)? {
        BodyKind::Text(text, _) => Ok(text),
        _ => Err(here.wrong("a GraphQL query is no value")),
    }
}

fn multiline(scanner: &mut Scanner<'_>) -> Parsed<BodyKind> {
    let start = scanner.clone();
    scanner.need("```")?;
    let hint = scanner.take_while(|c| c.is_ascii_alphanumeric());
    scanner.spaces();
    let hint_end = scanner.clone();
    if !scanner.eat("\r\n") && !scanner.eat("\n") {
        return Err(hint_end.wrong("a line break follows the three backticks"));
    }
    let Some(length) = scanner.rest().find("```") else { return Err(start.wrong("the text is not closed")) };
    let text = &scanner.rest()[..length];
    let template = scanner.template_of(text)?;
    if hint == "graphql" {
        return graphql(scanner, length);
    }
    scanner.take_bytes(length + 3);
    Ok(match hint {
        "" => BodyKind::Text(template, TextKind::Plain),
        "raw" => BodyKind::Text(Template::text(text), TextKind::Plain),
        "json" => BodyKind::Text(template, TextKind::Json),
        "xml" => BodyKind::Text(template, TextKind::Xml),
        unknown => {
            let message = format!("there is no language `{unknown}`");
            return Err(start.wrong(message).hint("there are json, xml, graphql and raw"));
        }
    })
}

/// The query, then perhaps a line with `variables {…}`.
fn graphql(scanner: &mut Scanner<'_>, length: usize) -> Parsed<BodyKind> {
    let text = &scanner.rest()[..length];
    let variables_at = text.match_indices("\nvariables").map(|(at, _)| at + 1).find(|at| {
        let rest = text[at + "variables".len()..].trim_start_matches([' ', '\t']);
        rest.starts_with('{')
    });
    let Some(at) = variables_at else {
        let query = scanner.template_of(text.trim())?;
        scanner.take_bytes(length + 3);
        return Ok(BodyKind::Graphql { query, variables: None });
    };
    let query = scanner.template_of(text[..at].trim())?;
    scanner.take_bytes(at + "variables".len());
    scanner.spaces();
    let start = scanner.offset();
    let variables = json(scanner, 0)?;
    let written = scanner.template_of(scanner.since(start))?;
    scanner.whitespace();
    scanner.need("```")?;
    Ok(BodyKind::Graphql { query, variables: Some((variables, written)) })
}
