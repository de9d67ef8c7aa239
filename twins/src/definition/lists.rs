//! Lists in pages: which rows, is there more, and where the next page begins.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};

use super::{
    errors::Problem,
    format::{Over, PagingBy, PagingFile},
    rows::{Fields, Row, text},
    template::Scope,
};
use crate::{engine::table::Table, http::Request, stub::View};

/// One page, as envelopes and links see it.
pub(super) struct Page {
    pub(super) items: Vec<Json>,
    total: usize,
    limit: usize,
    /// Of its first row.
    start: usize,
    /// What `next` says, where there is a next page.
    next: Option<String>,
    previous: Option<String>,
}

pub(super) struct Listing<'a> {
    pub(super) paging: &'a PagingFile,
    pub(super) id_field: &'a str,
    pub(super) request: &'a Request,
}

impl Listing<'_> {
    /// The page that the request asks for, of the rows that are `wanted`.
    pub(super) fn page(&self, rows: &Table<Row>, wanted: impl Fn(&Fields) -> bool) -> Result<Page, Problem> {
        let paging = self.paging;
        let mut all: Vec<&Fields> = rows.oldest_first().map(|row| &row.fields).filter(|it| wanted(it)).collect();
        if paging.newest_first {
            all.reverse();
        }
        let (total, limit) = (all.len(), if paging.by == PagingBy::None { all.len().max(1) } else { self.limit()? });
        let (start, end) = self.span(&all, limit)?;
        let items: Vec<Json> = all[start..end].iter().map(|fields| Json::Object((*fields).clone())).collect();
        let id_at = |place: usize| all.get(place).and_then(|fields| fields.get(self.id_field)).map(text);
        let mark = |place: usize| match paging.by {
            PagingBy::Id => id_at(place.saturating_sub(1)),
            PagingBy::Cursor => id_at(place.saturating_sub(1)).map(|id| URL_SAFE_NO_PAD.encode(format!("after:{id}"))),
            PagingBy::Offset => Some(place.to_string()),
            PagingBy::Page => Some((place / limit + 1).to_string()),
            PagingBy::None => None,
        };
        let next = if end < total { mark(end) } else { None };
        let by_number = matches!(paging.by, PagingBy::Offset | PagingBy::Page);
        let previous = if start > 0 && by_number { mark(start.saturating_sub(limit)) } else { None };
        Ok(Page { items, total, limit, start, next, previous })
    }

    fn asked(&self, name: &str) -> Option<String> {
        View::new(self.request).query(name).first().map(|value| (*value).to_owned())
    }

    fn limit(&self) -> Result<usize, Problem> {
        let (name, max) = (&self.paging.limit, self.paging.max);
        let Some(asked) = self.asked(name) else { return Ok(self.paging.default.clamp(1, max.max(1))) };
        let wrong = || Problem::new("invalid", format!("{name} is a number from 1 to {max}")).at(name);
        let number = asked.parse::<usize>().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
        match self.paging.over {
            Over::Refuse if number > max => Err(wrong()),
            Over::Refuse | Over::Clamp => Ok(number.min(max)),
        }
    }

    /// From which row to before which one.
    fn span(&self, all: &[&Fields], limit: usize) -> Result<(usize, usize), Problem> {
        let param = self.param();
        let until = |start: usize| (start.min(all.len()), start.saturating_add(limit).min(all.len()));
        let of_id = |id: &str| all.iter().position(|fields| fields.get(self.id_field).map(text).as_deref() == Some(id));
        let wrong = |name: &str| Problem::new("invalid", format!("{name} names no place in this list")).at(name);
        if let Some((before, id)) = self.paging.before.as_ref().and_then(|name| Some((name, self.asked(name)?))) {
            let end = of_id(&id).ok_or_else(|| wrong(before))?;
            return Ok((end.saturating_sub(limit), end));
        }
        let Some(asked) = self.asked(param) else { return Ok(until(0)) };
        let after = |id: &str| of_id(id).map(|place| until(place + 1)).ok_or_else(|| wrong(param));
        match self.paging.by {
            PagingBy::None => Ok(until(0)),
            PagingBy::Id => after(&asked),
            PagingBy::Cursor => {
                let decoded = URL_SAFE_NO_PAD.decode(&asked).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                after(decoded.as_deref().and_then(|text| text.strip_prefix("after:")).ok_or_else(|| wrong(param))?)
            }
            PagingBy::Offset => asked.parse().map(until).map_err(|_| wrong(param)),
            PagingBy::Page => {
                let page = asked.parse::<usize>().ok().filter(|page| *page > 0).ok_or_else(|| wrong(param))?;
                Ok(until((page - 1).saturating_mul(limit)))
            }
        }
    }

    fn param(&self) -> &str {
        let usual = match self.paging.by {
            PagingBy::Id => "after",
            PagingBy::Cursor => "cursor",
            PagingBy::Offset => "offset",
            PagingBy::Page | PagingBy::None => "page",
        };
        self.paging.param.as_deref().unwrap_or(usual)
    }

    /// What the envelope sees.
    pub(super) fn show(&self, page: &Page, scope: &mut Scope<'_>) {
        scope.set("has_more", page.next.is_some());
        scope.set("total", page.total);
        scope.set("limit", page.limit);
        scope.set("offset", page.start);
        scope.set("page", page.start / page.limit + 1);
        scope.set("pages", page.total.div_ceil(page.limit));
        scope.set("next", page.next.clone());
        scope.set("previous", page.previous.clone());
        let url = |mark: &Option<String>| mark.as_ref().map(|mark| self.url(mark));
        scope.set("url", json!({"path": self.request.path, "next": url(&page.next), "previous": url(&page.previous)}));
    }

    /// The `Link` header, where pages have one and there is something to say.
    pub(super) fn link(&self, page: &Page) -> Option<String> {
        let mut links = vec![(&page.previous, "prev"), (&page.next, "next")];
        let (first, last) = (Some("1".to_owned()), Some(page.total.div_ceil(page.limit).max(1).to_string()));
        if self.paging.by == PagingBy::Page {
            // As GitHub does: no way further, no last page; no way back, no first one.
            links.extend([(&first, "first")].into_iter().filter(|_| page.previous.is_some()));
            links.extend([(&last, "last")].into_iter().filter(|_| page.next.is_some()));
        }
        let one = |(mark, rel): (&Option<String>, &str)| Some(format!("<{}>; rel=\"{rel}\"", self.url(mark.as_ref()?)));
        let links: Vec<String> = links.into_iter().filter_map(one).collect();
        (self.paging.link && !links.is_empty()).then(|| links.join(", "))
    }

    fn url(&self, mark: &str) -> String {
        let param = self.param();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in url::form_urlencoded::parse(self.request.raw_query.as_bytes()) {
            if name != param {
                query.append_pair(&name, &value);
            }
        }
        query.append_pair(param, mark);
        format!("{}{}?{}", self.request.origin(), self.request.path, query.finish())
    }
}
