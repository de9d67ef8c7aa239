//! The cookies of one trial.

use cookie_store::{CookieStore, RawCookie};
use reqwest::Url;

/// Filled by responses, sent by later requests, empty at the start of each trial.
#[derive(Debug, Default)]
pub(crate) struct CookieJar(CookieStore);

impl CookieJar {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn keep<'a>(&mut self, lines: impl Iterator<Item = &'a str>, url: &Url) {
        let parsed = lines.filter_map(|line| RawCookie::parse(line.to_owned()).ok());
        self.0.store_response_cookies(parsed, &secure(url));
    }

    pub(crate) fn cookies(&self, url: &Url) -> Vec<(String, String)> {
        let url = secure(url);
        self.0.get_request_values(&url).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// What stays on this machine is secure, whatever its scheme: browsers and curl see it so too.
fn secure(url: &Url) -> Url {
    let is_here = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    };
    let mut url = url.clone();
    if is_here && url.scheme() == "http" {
        let port = url.port_or_known_default();
        // Both are special schemes, and the port is one that the URL had: neither can be refused.
        url.set_scheme("https").ok();
        url.set_port(port).ok();
    }
    url
}

#[cfg(test)]
mod tests {
    use super::CookieJar;

    #[test]
    fn cookies_go_where_they_came_from() {
        let mut jar = CookieJar::default();
        let url = |text: &str| text.parse().unwrap();
        jar.keep(
            ["a=1; Path=/app", "b=2; Secure", "gone=3; Max-Age=0"].into_iter(),
            &url("http://127.0.0.1:8000/app/x"),
        );
        let mut sent = jar.cookies(&url("http://127.0.0.1:8000/app/y"));
        sent.sort();
        assert_eq!(sent, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
        assert!(jar.cookies(&url("http://127.0.0.1:8000/other")).is_empty(), "another path");
        assert!(jar.cookies(&url("http://example.org/app/y")).is_empty(), "another host");
        jar.clear();
        assert!(jar.cookies(&url("http://127.0.0.1:8000/app/y")).is_empty());
    }
}
