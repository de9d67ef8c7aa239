//! Which rows a list shows: `q` (how names begin), `filter` (a few fields), `search` (all of them, sorted).

use serde_json::Value;

use super::errors::{SEARCH_INVALID, because};
use crate::{
    http::{Reply, Request},
    services::filter::{Filter, Operator, Path, Rules, order},
    twin::Context,
};

/// Values are compared in any case, names are not.
const RULES: Rules = Rules { names_in_any_case: false, exact: &[] };

/// What a resource lets its lists be asked.
pub(super) struct Searched {
    /// Fields whose beginning `q` is looked for.
    pub(super) begins: &'static [&'static str],
    /// Fields that `filter` knows. Those that end in `Updated` may be compared in any way, all others by `eq` only.
    pub(super) filtered: &'static [&'static str],
}

/// The places of the rows that fit, in the order in which they are listed. `rows` read as they do over the wire.
pub(super) fn found(
    context: &Context<'_>,
    request: &Request,
    rows: &[Value],
    searched: &Searched,
) -> Result<Vec<usize>, Reply> {
    let query = |name: &str| request.query[name].as_str().filter(|text| !text.is_empty());
    let refuse = |why: String| because(context, SEARCH_INVALID, &[why]);
    let parse = |text: &str| Filter::parse(text).map_err(|misfit| refuse(misfit.to_string()));
    let filter = query("filter").map(parse).transpose()?;
    if let Some((path, _)) = filter.as_ref().and_then(|filter| not_filtered(filter, searched)) {
        return Err(refuse(format!("filter: {} is not supported here", path.dotted())));
    }
    let search = query("search").map(parse).transpose()?;
    let begins = query("q").map(str::to_lowercase);
    let fits = |row: &Value| {
        let is_begun = |begin: &String| {
            let mut fields = searched.begins.iter().filter_map(|name| Path::parse(name));
            fields.any(|path| {
                let mut values = path.values(row, RULES).into_iter().filter_map(Value::as_str);
                values.any(|text| text.to_lowercase().starts_with(begin))
            })
        };
        [&filter, &search].into_iter().flatten().all(|filter| filter.fits(row, RULES))
            && begins.as_ref().is_none_or(is_begun)
    };
    let mut places: Vec<usize> = (0..rows.len()).filter(|place| fits(&rows[*place])).collect();
    if let Some(path) = query("sortBy").filter(|_| search.is_some()) {
        let path = Path::parse(path).ok_or_else(|| refuse("sortBy: no name of a field".to_owned()))?;
        let key = |place: &usize| path.values(&rows[*place], RULES).into_iter().next();
        places.sort_by(|one, other| order(key(one), key(other)));
        if query("sortOrder").is_some_and(|order| order.eq_ignore_ascii_case("desc")) {
            places.reverse();
        }
    }
    Ok(places)
}

/// The first part of a `filter` that the resource does not take.
fn not_filtered<'f>(filter: &'f Filter, searched: &Searched) -> Option<(&'f Path, Option<Operator>)> {
    filter.paths().into_iter().find(|(path, operator)| {
        let name = path.dotted();
        let is_known = searched.filtered.contains(&name.as_str());
        !is_known || (*operator != Some(Operator::Eq) && !name.ends_with("Updated"))
    })
}

/// Whether a list was asked for some rows only.
pub(super) fn is_narrowed(request: &Request) -> bool {
    ["search", "filter"].iter().any(|name| request.query[*name].as_str().is_some_and(|text| !text.is_empty()))
}
