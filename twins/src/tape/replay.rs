use std::{collections::HashMap, sync::Arc};

use regex::Regex;
use rpds::HashTrieMapSync;

use super::{
    ReplayConfig,
    exchange::{Exchange, body_of},
    key::Key,
    redact::{Redactor, patterns},
};
use crate::http::{Reply, Request};

const DIFFERENCES_MAX: usize = 5; // shown of the nearest recording

/// What was recorded, and how often each of it was asked.
#[derive(Clone)]
pub(crate) struct Recordings {
    tape: Arc<Recorded>,
    asked: HashTrieMapSync<[u8; 32], usize>,
}

struct Recorded {
    exchanges: Vec<(Key, Exchange)>,
    by_hash: HashMap<[u8; 32], Vec<usize>>,
    redactor: Redactor,
    ignore: Vec<Regex>,
}

impl Recordings {
    pub(super) fn open(config: &ReplayConfig) -> Result<Self, String> {
        let (redactor, ignore) = (Redactor::new(&config.redact)?, patterns(config.ignore.iter().map(String::as_str))?);
        let read = Exchange::read(&config.file)?;
        if read.is_empty() {
            return Err(format!("`{}` holds no exchange", config.file.display()));
        }
        let exchanges: Vec<_> = read.into_iter().map(|exchange| (key_of(&exchange, &ignore), exchange)).collect();
        let mut by_hash: HashMap<_, Vec<_>> = HashMap::new();
        for (index, (key, _)) in exchanges.iter().enumerate() {
            by_hash.entry(key.hash()).or_default().push(index);
        }
        Ok(Self {
            tape: Arc::new(Recorded { exchanges, by_hash, redactor, ignore }),
            asked: HashTrieMapSync::new_sync(),
        })
    }

    /// The n-th answer for the n-th time that this is asked.
    pub(super) fn answer(&mut self, request: &Request) -> Result<Reply, String> {
        let key = self.tape.key(request);
        let hash = key.hash();
        let Some(fitting) = self.tape.by_hash.get(&hash) else { return Err(self.tape.miss(&key)) };
        let times = self.asked.get(&hash).copied().unwrap_or(0);
        let Some(index) = fitting.get(times) else {
            let held = fitting.len();
            return Err(format!(
                "{} was asked {} times in the same words, and {held} answers are recorded; record it again if that is right",
                key.operation(),
                times + 1
            ));
        };
        self.asked.insert_mut(hash, times + 1);
        Ok(self.tape.exchanges[*index].1.reply())
    }
}

impl Recorded {
    /// As it would stand in a recording.
    fn key(&self, request: &Request) -> Key {
        let clean = |text: &str| self.redactor.text(text, request);
        let query = url::form_urlencoded::parse(request.raw_query.as_bytes());
        let query = query.map(|(name, value)| (name.into_owned(), clean(&value)));
        let body = body_of(request).map(|body| clean(&body));
        Key::new(&request.method, &request.path, query, body.as_deref(), &self.ignore)
    }

    fn miss(&self, asked: &Key) -> String {
        let nearest = self.exchanges.iter().enumerate().min_by_key(|(_, (key, _))| key.distance(asked));
        let (index, (key, _)) = nearest.expect("a recording holds an exchange");
        let all = key.differences(asked);
        let more = all.len().saturating_sub(DIFFERENCES_MAX);
        let more = if more == 0 { String::new() } else { format!("; and {more} more") };
        let shown = all.iter().take(DIFFERENCES_MAX).cloned().collect::<Vec<_>>().join("; ");
        format!(
            "no recording fits this {}; the nearest is number {}, where {shown}{more}",
            asked.operation(),
            index + 1
        )
    }
}

fn key_of(exchange: &Exchange, ignore: &[Regex]) -> Key {
    let query = exchange.when.query_param.iter().map(|pair| (pair.name.clone(), pair.value.clone()));
    Key::new(&exchange.when.method, &exchange.when.path, query, exchange.when.body.as_deref(), ignore)
}
