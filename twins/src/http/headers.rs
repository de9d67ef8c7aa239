use hyper::HeaderMap;

/// The headers of a request: lower-case names, sorted, so that nothing depends on the client's order. In one piece of
/// memory, as every request has a dozen and the journal keeps them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers {
    text: String,
    /// Where each name and each value ends in `text`.
    ends: Vec<(usize, usize)>,
}

impl Headers {
    pub(super) fn of(map: &HeaderMap) -> Self {
        Self::sorted(map.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect())
    }

    pub(super) fn sorted(mut pairs: Vec<(&str, &[u8])>) -> Self {
        pairs.sort_unstable();
        let mut headers = Self { text: String::with_capacity(512), ends: Vec::with_capacity(pairs.len()) };
        for (name, value) in pairs {
            headers.text.push_str(name);
            let name_end = headers.text.len();
            match std::str::from_utf8(value) {
                Ok(value) => headers.text.push_str(value),
                Err(_) => headers.text.push_str(&String::from_utf8_lossy(value)),
            }
            headers.ends.push((name_end, headers.text.len()));
        }
        headers
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut begin = 0;
        self.ends.iter().map(move |(name_end, end)| {
            let pair = (&self.text[begin..*name_end], &self.text[*name_end..*end]);
            begin = *end;
            pair
        })
    }

    /// The first of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn headers_are_sorted_and_found_by_name() {
        let mut map = HeaderMap::new();
        for (name, value) in [("b", "2"), ("a", "x"), ("b", "1"), ("empty", "")] {
            map.append(name, HeaderValue::from_static(value));
        }
        map.append("raw", HeaderValue::from_bytes(b"\xff").expect("is a header value"));
        let headers = Headers::of(&map);
        let all: Vec<_> = headers.iter().collect();
        assert_eq!(all, [("a", "x"), ("b", "1"), ("b", "2"), ("empty", ""), ("raw", "\u{fffd}")]);
        assert_eq!((headers.get("b"), headers.get("empty"), headers.get("c")), (Some("1"), Some(""), None));
    }
}
