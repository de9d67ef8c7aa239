//! Addresses in answers, and lists in pages.

use serde_json::{Value, json};

use crate::http::{Reply, Request};

const PER_PAGE: usize = 30;
const PER_PAGE_MAX: usize = 100;

/// Where this client finds the API and the web pages: answers link to what it asked.
#[derive(Clone, Debug)]
pub(super) struct Links {
    pub(super) api: String,
    pub(super) web: String,
}

impl Links {
    pub(super) fn of(request: &Request) -> Self {
        let web = request.origin();
        let mount = if request.path.starts_with("/api/v3/") { "/api/v3" } else { "" };
        Self { api: format!("{web}{mount}"), web }
    }

    pub(super) fn below(origin: &str) -> Self {
        Self { api: origin.to_owned(), web: origin.to_owned() }
    }

    pub(super) fn repo(&self, full_name: &str) -> String {
        format!("{}/repos/{full_name}", self.api)
    }
}

/// The part of a list that was asked for, and the header that leads to the others.
struct Page {
    first: usize,
    per_page: usize,
    number: usize,
    last: usize,
}

impl Page {
    fn of(request: &Request, rows: usize) -> Self {
        let asked = |name: &str| request.query[name].as_str().and_then(|text| text.parse::<usize>().ok());
        let per_page = asked("per_page").filter(|count| *count > 0).unwrap_or(PER_PAGE).min(PER_PAGE_MAX);
        let number = asked("page").unwrap_or(1).max(1);
        Self { first: (number - 1).saturating_mul(per_page), per_page, number, last: rows.div_ceil(per_page).max(1) }
    }

    fn header(&self, request: &Request) -> Option<String> {
        let query = url::form_urlencoded::parse(request.raw_query.as_bytes()).filter(|(name, _)| name != "page");
        let query: Vec<_> = query.collect();
        let link = |page: usize, rel: &str| {
            let mut pairs = url::form_urlencoded::Serializer::new(String::new());
            pairs.extend_pairs(&query).append_pair("page", &page.to_string());
            format!("<{}{}?{}>; rel=\"{rel}\"", request.origin(), request.path, pairs.finish())
        };
        let mut links = Vec::new();
        if self.number > 1 {
            links.push(link(self.number - 1, "prev"));
        }
        if self.number < self.last {
            links.extend([link(self.number + 1, "next"), link(self.last, "last")]);
        }
        if self.number > 1 {
            links.push(link(1, "first"));
        }
        (!links.is_empty()).then(|| links.join(", "))
    }
}

/// One page of `rows`.
pub(super) fn paged<R>(request: &Request, rows: Vec<R>, show: impl Fn(R) -> Value) -> Reply {
    paged_as(request, rows, show, |items, _| Value::Array(items))
}

/// One page below `name`, with the number of all.
pub(super) fn counted<R>(request: &Request, name: &str, rows: Vec<R>, show: impl Fn(R) -> Value) -> Reply {
    paged_as(request, rows, show, |items, total| json!({"total_count": total, name: items}))
}

pub(super) fn paged_as<R>(
    request: &Request,
    rows: Vec<R>,
    show: impl Fn(R) -> Value,
    body: impl Fn(Vec<Value>, usize) -> Value,
) -> Reply {
    let (page, total) = (Page::of(request, rows.len()), rows.len());
    let items = rows.into_iter().skip(page.first).take(page.per_page).map(show).collect();
    let reply = Reply::json(200, &body(items, total));
    match page.header(request) {
        Some(link) => reply.header("link", link),
        None => reply,
    }
}
