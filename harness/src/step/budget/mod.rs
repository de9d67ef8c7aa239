//! `budget`: what the trial has used so far must be within limits: time, requests, calls of twins, tokens and money.

mod tokens;

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

pub(crate) use self::tokens::Prices;
use self::tokens::{Tokens, price_of, untold_by, used_by};
use super::{Captures, Halt, Kind, Outcome, Stage, Step};
use crate::{
    expect::Mismatch,
    report::plural,
    scenario::{LintCode, Lower},
    text::{Period, Placed},
};

/// How the kind stands in files.
pub(super) const KIND: Kind = Kind {
    name: "budget",
    needs: &[],
    takes: &[],
    expects: &[],
    captures: Captures::Nothing,
    lower: |parts, lower| Some(self::lower(parts.file.budget?, lower)),
};

/// Limits of what was used since the first step; each is the most that is allowed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BudgetFile {
    #[serde(default)]
    time: Option<Period>,
    /// Requests of steps to the subject.
    #[serde(default)]
    requests: Option<u64>,
    /// Requests of the subject to its twins.
    #[serde(default)]
    twin_calls: Option<u64>,
    /// Input and output of all language models, as their twins told it.
    #[serde(default)]
    tokens: Option<u64>,
    /// What these tokens cost. Needs the price of every model that was used.
    #[serde(default)]
    usd: Option<f64>,
    /// By model, in US dollars per million tokens; `*` is for every other. Goes before `prices` of harness.yaml.
    #[serde(default)]
    prices: Prices,
}

#[derive(Debug)]
struct Budget(BudgetFile);

fn lower(file: Placed<BudgetFile>, lower: &mut Lower<'_>) -> Box<dyn Step> {
    let BudgetFile { time, requests, twin_calls, tokens, usd, .. } = &file.value;
    let counts = [requests, twin_calls, tokens];
    if time.is_none() && usd.is_none() && counts.iter().all(|count| count.is_none()) {
        let hint = "give one of time, requests, twin_calls, tokens and usd";
        lower.refuse_with(LintCode::NoAssertion, file.place, "the budget limits nothing", hint);
    }
    if usd.is_some_and(|usd| !usd.is_finite() || usd < 0.0) {
        lower.refuse(LintCode::BadLimit, file.place, "a sum of money is 0 or more");
    }
    Box::new(Budget(file.value))
}

#[async_trait]
impl Step for Budget {
    fn kind(&self) -> &'static str {
        "budget"
    }

    fn title(&self) -> String {
        "budget".to_owned()
    }

    fn asserts(&self) -> bool {
        true
    }

    async fn run(&self, stage: &mut Stage<'_>) -> Result<Outcome, Halt> {
        let time = stage.session.elapsed();
        let calls = stage.world.all_calls()?;
        let by_model = by_model(&calls);
        let tokens: u64 = by_model.values().map(|tokens| tokens.total()).sum();
        let usd = match self.0.usd {
            Some(_) => Some(self.price(&by_model, stage)?),
            None => None,
        };
        let limits_tokens = self.0.tokens.is_some() || self.0.usd.is_some();
        let mut found: Vec<_> = untold(&calls).filter(|_| limits_tokens).into_iter().collect();
        let mut check = |name: &str, is_over: bool, most: String, used: String| {
            found.extend(is_over.then(|| Mismatch::new(name, format!("at most {most}"), used)));
        };
        if let Some(most) = self.0.time {
            check("time", time > most.0, most.to_string(), format!("{} ms", time.as_millis()));
        }
        let counts = [
            ("requests", self.0.requests, stage.session.requests),
            ("twin calls", self.0.twin_calls, calls.len() as u64),
            ("tokens", self.0.tokens, tokens),
        ];
        for (name, most, used) in counts {
            if let Some(most) = most {
                check(name, used > most, most.to_string(), used.to_string());
            }
        }
        if let Some((most, used)) = self.0.usd.zip(usd) {
            check("cost", used > most, format!("{most} USD"), format!("{used:.6} USD"));
        }
        let time_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let models: BTreeMap<_, _> = by_model.iter().map(|(model, tokens)| (model, tokens.total())).collect();
        let evidence = json!({ "used": {
            "time_ms": time_ms, "requests": stage.session.requests, "twin_calls": calls.len(), "tokens": tokens,
            "tokens_by_model": models, "cost_usd": usd,
        } });
        Ok(Outcome { mismatches: found, evidence, ..Outcome::default() })
    }
}

impl Budget {
    /// A price is never guessed: without it nothing can be said.
    fn price(&self, by_model: &BTreeMap<String, Tokens>, stage: &Stage<'_>) -> Result<f64, Halt> {
        let mut usd = 0.0;
        for (model, tokens) in by_model {
            let price = price_of(model, [&self.0.prices, stage.prices]);
            let price = price.ok_or_else(|| {
                let hint = "add it under `prices` of the step or of harness.yaml";
                Halt::Infra(format!("the price of `{model}` is not known; {hint}"))
            })?;
            usd += tokens.usd(price);
        }
        Ok(usd)
    }
}

/// What cannot be counted is not within any limit.
fn untold(calls: &[Json]) -> Option<Mismatch> {
    let models: Vec<_> = calls.iter().filter_map(untold_by).collect();
    let first = models.first()?;
    let way_out = "a stream of OpenAI's chat tells it with `stream_options: {include_usage: true}`";
    let observed = format!("{} without, of `{first}`; {way_out}", plural(models.len(), "answer"));
    Some(Mismatch::new("usage", "told by every answer of a model", observed))
}

fn by_model(calls: &[Json]) -> BTreeMap<String, Tokens> {
    let mut by_model: BTreeMap<String, Tokens> = BTreeMap::new();
    for (model, used) in calls.iter().filter_map(used_by) {
        let sum = by_model.entry(model).or_default();
        sum.input += used.input;
        sum.output += used.output;
        sum.cache_read += used.cache_read;
        sum.cache_write += used.cache_write;
    }
    by_model
}
