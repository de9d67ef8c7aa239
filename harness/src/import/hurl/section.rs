//! The section for multipart forms.

use super::{
    ast::Part,
    parse::pair,
    scan::{Parsed, Scanner},
};

pub(super) fn multipart(scanner: &mut Scanner<'_>) -> Parsed<Vec<Part>> {
    let mut parts = Vec::new();
    loop {
        if let Some(file) = file(scanner)? {
            parts.push(file);
        } else if let Some(pair) = pair(scanner)? {
            parts.push(Part::Field(pair));
        } else {
            return Ok(parts);
        }
    }
}

/// `key: file,path; type`
fn file(scanner: &mut Scanner<'_>) -> Parsed<Option<Part>> {
    let mut ahead = scanner.clone();
    ahead.blank_lines();
    let start = ahead.offset();
    let Some(key) = ahead.key()? else { return Ok(None) };
    if !ahead.eat("file,") {
        return Ok(None);
    }
    ahead.spaces();
    let file = ahead.filename()?;
    ahead.spaces();
    ahead.need(";")?;
    ahead.spaces();
    let content_type = ahead.unquoted()?;
    let place = ahead.place_since(start);
    ahead.line_end()?;
    *scanner = ahead;
    let content_type = (!content_type.is_empty()).then_some(content_type);
    Ok(Some(Part::File { place, key, file, content_type }))
}
