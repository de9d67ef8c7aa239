//! Where a host leads: to a twin, out, or nowhere.

use std::collections::BTreeMap;

use crate::{TwinError, http::server::Face};

/// Where a request goes.
#[derive(Clone)]
pub(super) enum Way {
    Twin(Face),
    /// To the host itself.
    Out,
}

/// What the proxy knows of hosts.
pub(super) struct Hosts {
    exact: BTreeMap<String, Way>,
    /// Of `*.slack.com` the part from the dot on; the longest that fits counts.
    below: Vec<(String, Way)>,
}

impl Hosts {
    pub(super) fn new(
        map: &[(String, String)],
        allow: &[String],
        face: impl Fn(&str) -> Result<Face, TwinError>,
    ) -> Result<Self, TwinError> {
        let mut hosts = Self { exact: BTreeMap::new(), below: Vec::new() };
        for (host, twin) in map {
            hosts.add(host, Way::Twin(face(twin)?))?;
        }
        for host in allow {
            hosts.add(host, Way::Out)?;
        }
        hosts.below.sort_by_key(|(end, _)| std::cmp::Reverse(end.len()));
        Ok(hosts)
    }

    fn add(&mut self, host: &str, way: Way) -> Result<(), TwinError> {
        let refused = |why: &str| TwinError::Mapping { rule: host.to_owned(), why: why.to_owned() };
        let name = host.to_ascii_lowercase();
        let bare = name.strip_prefix("*.").unwrap_or(&name);
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.:[]".contains(letter);
        if bare.is_empty() || !bare.chars().all(fits) {
            return Err(refused("it is no name of a host"));
        }
        if let Some(end) = name.strip_prefix('*') {
            self.below.push((end.to_owned(), way));
        } else if self.exact.insert(name, way).is_some() {
            return Err(refused("the host is there twice"));
        }
        Ok(())
    }

    /// # Errors
    /// In words with the way out: nobody stands for the host.
    pub(super) fn way(&self, host: &str) -> Result<&Way, String> {
        let host = host.to_ascii_lowercase();
        let below = || self.below.iter().find(|(end, _)| host.ends_with(end.as_str())).map(|(_, way)| way);
        self.exact.get(&host).or_else(below).ok_or_else(|| {
            format!(
                "no twin stands for {host}; give it one with --map {host}=TWIN, or let it through with --allow {host}"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(names: &[&str]) -> Result<Hosts, TwinError> {
        let allow: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        Hosts::new(&[], &allow, |twin| Err(TwinError::NotServed { twin: twin.to_owned() }))
    }

    #[test]
    fn hosts_are_known_by_name_or_by_what_they_stand_below() {
        let hosts = out(&["slack.com", "*.slack.com", "127.0.0.1"]).expect("is fine");
        for known in ["slack.com", "SLACK.com", "files.slack.com", "a.b.slack.com", "127.0.0.1"] {
            assert!(hosts.way(known).is_ok(), "{known}");
        }
        let refused = hosts.way("notslack.com").err().expect("is refused");
        assert!(refused.contains("--map notslack.com=TWIN") && refused.contains("--allow notslack.com"), "{refused}");
    }

    #[test]
    fn a_host_that_is_none_or_there_twice_is_refused() {
        assert!(out(&[""]).is_err() && out(&["https://a.b"]).is_err() && out(&["*."]).is_err());
        assert!(out(&["a.b", "A.b"]).err().expect("is refused").to_string().contains("there twice"));
    }
}
