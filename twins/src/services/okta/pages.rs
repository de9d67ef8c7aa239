//! Lists in pages: `limit`, `after`, and links to this page and the next in headers.

use std::borrow::Cow;

use serde_json::Value;
use url::form_urlencoded;

use super::errors;
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

/// How many rows a page has where nothing is asked for, and at most.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) usual: usize,
    pub(super) most: usize,
}

/// One page of `rows`; `id` is what `after` names, `show` how a row reads.
pub(super) fn page<T>(
    context: &Context<'_>,
    request: &Request,
    rows: &[T],
    size: Size,
    id: impl Fn(&T) -> &str,
    show: impl Fn(&T) -> Value,
) -> Answer {
    let query = |name: &str| request.query[name].as_str();
    let asked = query("limit").map(str::parse::<usize>).transpose();
    let limit = match asked {
        Ok(None) => size.usual,
        Ok(Some(limit)) if limit > 0 => limit.min(size.most),
        Ok(Some(_)) | Err(_) => {
            let cause = "limit: The limit must be a whole number above zero.".to_owned();
            return Err(errors::invalid(context, "limit", &[cause]));
        }
    };
    let begin = match query("after") {
        None => 0,
        Some(after) => match rows.iter().position(|row| id(row) == after) {
            Some(place) => place + 1,
            None => {
                let cause = "after: The cursor is unknown. Begin with the first page.".to_owned();
                return Err(errors::invalid(context, "after", &[cause]));
            }
        },
    };
    let shown = &rows[begin..rows.len().min(begin + limit)];
    let mut reply = Reply::json(200, &shown.iter().map(show).collect::<Vec<_>>());
    let mut link = |address: String, relation: &str| {
        reply.headers.push((Cow::Borrowed("link"), format!("<{address}>; rel=\"{relation}\"")));
    };
    link(address(request, None), "self");
    if let Some(last) = shown.last().filter(|_| begin + shown.len() < rows.len()) {
        link(address(request, Some((id(last), limit))), "next");
    }
    Ok(reply)
}

/// The address of this request, or of what comes after a row.
fn address(request: &Request, next: Option<(&str, usize)>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let is_kept = |name: &str| next.is_none() || !matches!(name, "after" | "limit");
    for (name, value) in form_urlencoded::parse(request.raw_query.as_bytes()).filter(|(name, _)| is_kept(name)) {
        query.append_pair(&name, &value);
    }
    if let Some((after, limit)) = next {
        query.append_pair("after", after).append_pair("limit", &limit.to_string());
    }
    let (query, path) = (query.finish(), format!("{}{}", request.origin(), request.path));
    if query.is_empty() { path } else { format!("{path}?{query}") }
}
