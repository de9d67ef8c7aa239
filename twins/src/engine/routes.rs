//! Which operation a request is: a prefix tree per twin, so that five hundred operations cost what five do.

use matchit::Router;
use percent_encoding::percent_decode_str;

use crate::{
    http::Request,
    twin::{Operation, When},
};

/// An operation that fits, with the parameters of its path, percent-decoded.
pub(crate) struct Route {
    pub(crate) index: usize,
    pub(crate) operation: &'static str,
    pub(crate) params: Vec<(&'static str, String)>,
}

/// All paths of a twin, and below each the operations that share it, in the order of the twin's table.
pub(crate) struct Routes {
    router: Router<Vec<Candidate>>,
    mount: Option<&'static str>,
}

struct Candidate {
    index: usize,
    operation: &'static str,
    method: &'static str,
    when: Option<When>,
    /// In the order in which they stand in the path.
    params: Vec<&'static str>,
}

impl Routes {
    /// # Panics
    /// Where two paths contradict each other: a mistake in the twin's table, found by the first test that opens it.
    pub(crate) fn of<T>(operations: &'static [Operation<T>], mount: Option<&'static str>) -> Self {
        let rows = operations.iter().map(|operation| {
            let Operation { name, method, path, when, .. } = *operation;
            (name, method, path, when)
        });
        Self::build(rows, mount).unwrap_or_else(|(path, why)| panic!("{path}: {why}"))
    }

    /// From rows of name, method, path and condition. The error names a path that contradicts an earlier one.
    pub(crate) fn build(
        rows: impl Iterator<Item = (&'static str, &'static str, &'static str, Option<When>)>,
        mount: Option<&'static str>,
    ) -> Result<Self, (&'static str, String)> {
        let mut paths: Vec<(&str, String, Vec<Candidate>)> = Vec::new();
        for (index, (operation, method, path, when)) in rows.enumerate() {
            let (candidate, shape) = (Candidate { index, operation, method, when, params: names(path) }, shape(path));
            match paths.iter_mut().find(|(_, known, _)| *known == shape) {
                Some((.., candidates)) => candidates.push(candidate),
                None => paths.push((path, shape, vec![candidate])),
            }
        }
        let mut router = Router::new();
        for (path, shape, candidates) in paths {
            router.insert(shape, candidates).map_err(|error| (path, error.to_string()))?;
        }
        Ok(Self { router, mount })
    }

    pub(crate) fn find(&self, request: &Request) -> Option<Route> {
        self.at(&request.path, request)
    }

    /// As if the request had come for `path`.
    pub(crate) fn at(&self, path: &str, request: &Request) -> Option<Route> {
        let below = self.mount.and_then(|mount| path.strip_prefix(mount)).filter(|path| path.starts_with('/'));
        let found = self.router.at(below.unwrap_or(path)).ok()?;
        let fits = |candidate: &&Candidate| {
            (candidate.method == request.method || candidate.method == "*")
                && candidate.when.is_none_or(|when| when(request))
        };
        let candidate = found.value.iter().find(fits)?;
        let values = found.params.iter().map(|(_, value)| percent_decode_str(value).decode_utf8_lossy().into_owned());
        let params = candidate.params.iter().copied().zip(values).collect();
        Some(Route { index: candidate.index, operation: candidate.operation, params })
    }
}

/// The path with its parameters named by their place, so that other names are no contradiction.
fn shape(path: &str) -> String {
    let mut parts = path.split('{');
    let mut shape = parts.next().unwrap_or_default().to_owned();
    for (place, part) in parts.enumerate() {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        let star = if name.starts_with('*') { "*" } else { "" };
        shape.push_str(&format!("{{{star}p{place}}}{rest}"));
    }
    shape
}

/// The names of a path's parameters.
fn names(path: &'static str) -> Vec<&'static str> {
    let inside = |part: &'static str| Some(part.split_once('}')?.0.trim_start_matches('*'));
    path.split('{').skip(1).filter_map(inside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        http::Reply,
        twin::{Answer, Context, operations},
    };

    struct Shop;

    impl Shop {
        fn run(&mut self, _: &mut Context<'_>, _: &Request) -> Answer {
            Ok(Reply::empty(204))
        }
    }

    fn has_query(request: &Request) -> bool {
        !request.raw_query.is_empty()
    }

    const OPERATIONS: &[Operation<Shop>] = operations! {
        "one" "GET" "/v1/a/{id}" Shop::run;
        "inside" "GET" "/v1/a/{id}/b" Shop::run;
        "search" "GET" "/v1/a/search" Shop::run;
        "asked" "PUT" "/v1/a/{id}" Shop::run, if has_query;
        "put" "PUT" "/v1/a/{id}" Shop::run;
        "rest" "*" "/files/{*path}" Shop::run;
    };

    fn find(method: &str, path: &str, raw_query: &str) -> Option<(&'static str, Vec<(&'static str, String)>)> {
        let request = Request::bare(method, &format!("{path}?{raw_query}"));
        Routes::of(OPERATIONS, None).find(&request).map(|route| (route.operation, route.params))
    }

    #[test]
    fn a_path_fits_its_template_only() {
        assert_eq!(find("GET", "/v1/a/x", ""), Some(("one", vec![("id", "x".to_owned())])));
        assert_eq!(find("GET", "/v1/a/x/b", ""), Some(("inside", vec![("id", "x".to_owned())])));
        assert_eq!(find("GET", "/v1/a/search", ""), Some(("search", Vec::new())));
        assert_eq!(find("GET", "/v1/a/", ""), None);
        assert_eq!(find("GET", "/v1/a", ""), None);
        assert_eq!(find("POST", "/v1/a/x", ""), None);
    }

    #[test]
    fn a_condition_tells_operations_of_one_path_apart() {
        assert_eq!(find("PUT", "/v1/a/x", "acl").map(|found| found.0), Some("asked"));
        assert_eq!(find("PUT", "/v1/a/x", "").map(|found| found.0), Some("put"));
    }

    #[test]
    fn parameters_of_one_place_may_have_several_names() {
        let rows =
            [("one", "GET", "/a/{id}", None), ("two", "GET", "/a/{key}/b", None), ("put", "PUT", "/a/{x}", None)];
        let routes = Routes::build(rows.into_iter(), None).unwrap_or_else(|(path, why)| panic!("{path}: {why}"));
        let found = |method: &str, path: &str| routes.find(&Request::bare(method, path)).map(|route| route.params);
        assert_eq!(found("GET", "/a/7/b"), Some(vec![("key", "7".to_owned())]));
        assert_eq!(found("PUT", "/a/7"), Some(vec![("x", "7".to_owned())]));
    }

    #[test]
    fn operations_are_found_below_the_mount_too() {
        let mounted = Routes::of(OPERATIONS, Some("/api/v3"));
        let find = |path: &str| mounted.find(&Request::bare("GET", path)).map(|route| route.operation);
        assert_eq!((find("/api/v3/v1/a/x"), find("/v1/a/x")), (Some("one"), Some("one")));
        assert_eq!((find("/api/v3v1/a/x"), find("/api/v3")), (None, None));
    }

    #[test]
    fn a_tail_takes_all_segments_and_is_decoded() {
        let path = vec![("path", "a b/c".to_owned())];
        assert_eq!(find("DELETE", "/files/a%20b/c", ""), Some(("rest", path)));
    }
}
