//! The twins of one trial. The only module that touches the crate `twins`.

use std::{collections::BTreeMap, sync::LazyLock};

use reqwest::Url;
use serde_json::{Value as Json, json};
use twins::{Engine, EngineOptions, FaultRule, Served, Space, TwinInfo};

use crate::expect::cut;

const HINT_BYTES_MAX: usize = 600; // a few lines of names

/// A fresh, isolated set of twins.
pub(crate) struct World {
    space: Space,
    served: Vec<Served>,
}

impl World {
    /// Serves the twins, each with its configuration. Errors are the machine's or the author's, never the subject's.
    pub(crate) fn open(name: &str, seed: u64, twins: &[(String, Json)]) -> Result<Self, String> {
        // Subjects compare webhook signatures with the real clock, so the virtual one starts there.
        let engine = Engine::new(EngineOptions { seed, start_at: jiff::Timestamp::now() });
        let space = engine.space(name, seed);
        let served = twins.iter().map(|(twin, config)| space.serve(twin, config.clone()));
        let served = served.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        Ok(Self { space, served })
    }

    /// What templates see as `twins`: `{stripe: {url: …, port: …}}`.
    pub(crate) fn facts(&self) -> Json {
        let fact = |served: &Served| (served.name.clone(), json!({ "url": served.base_url, "port": served.port }));
        Json::Object(self.served.iter().map(fact).collect())
    }

    pub(crate) fn ports(&self) -> Vec<u16> {
        self.served.iter().map(|served| served.port).collect()
    }

    /// Webhooks with a path are delivered to the subject at `base`.
    pub(crate) fn aim_webhooks(&self, base: &Url) -> Result<(), String> {
        let aim = |served: &Served| self.space.set_webhook_base(&served.name, base.as_str());
        self.served.iter().try_for_each(aim).map_err(|error| error.to_string())
    }

    pub(crate) fn calls(&self, twin: &str, operation: Option<&str>) -> Vec<Json> {
        let as_json = |call| serde_json::to_value(call).expect("a call is plain data");
        self.space.calls(twin, operation).into_iter().map(as_json).collect()
    }

    /// Every call of all twins, in their order. An error where the oldest are not known any more.
    pub(crate) fn all_calls(&self) -> Result<Vec<Json>, String> {
        let mut calls: Vec<_> = self.served.iter().flat_map(|served| self.calls(&served.name, None)).collect();
        calls.sort_by_key(|call| call["seq"].as_u64());
        let last = calls.last().and_then(|call| call["seq"].as_u64()).unwrap_or(0);
        if last > calls.len() as u64 {
            return Err(format!("the twins were called {last} times, and only {} calls were kept", calls.len()));
        }
        Ok(calls)
    }

    /// How often each twin was called.
    pub(crate) fn call_counts(&self) -> impl Iterator<Item = (String, usize)> {
        self.served.iter().map(|served| (served.name.clone(), self.space.calls(&served.name, None).len()))
    }

    pub(crate) fn call_count(&self) -> usize {
        self.served.iter().map(|served| self.space.calls(&served.name, None).len()).sum()
    }

    pub(crate) fn state(&self, twin: &str) -> Result<Json, String> {
        self.space.state(twin).map_err(|error| error.to_string())
    }

    pub(crate) fn fault(&self, twin: &str, rule: Json) -> Result<(), String> {
        let rule: FaultRule = serde_json::from_value(rule).map_err(|error| refused_rule(&error))?;
        self.space.fault(twin, rule).map_err(|error| error.to_string())
    }

    pub(crate) fn act(&self, twin: &str, action: Json) -> Result<Json, String> {
        self.space.act(twin, action).map_err(|error| error.to_string())
    }

    /// Back to how the twins were opened, at the present time.
    pub(crate) fn reset(&self) {
        self.space.reset();
        // Time only goes on; a clock that is ahead already is as good.
        self.space.advance_to(jiff::Timestamp::now()).ok();
    }

    pub(crate) async fn close(self) {
        self.space.close().await;
    }
}

/// Whether the twin would take this fault rule.
pub(crate) fn check_fault(twin: &str, rule: &Json) -> Result<(), String> {
    let rule: FaultRule = serde_json::from_value(rule.clone()).map_err(|error| refused_rule(&error))?;
    twins::check_fault(twin, rule).map_err(|error| error.to_string())
}

fn refused_rule(error: &serde_json::Error) -> String {
    format!("the fault rule is refused: {error}")
}

/// Whether a twin of that name takes this configuration.
pub(crate) fn check_config(twin: &str, config: Json) -> Result<(), String> {
    twins::check_config(twin, config).map_err(|error| error.to_string())
}

/// All twins, with what they can do: what names in files are checked against.
pub(crate) struct Catalogue(BTreeMap<&'static str, Abilities>);

/// What one twin can do.
pub(crate) struct Abilities(TwinInfo);

impl Catalogue {
    /// Every twin that there is.
    pub(crate) fn all() -> &'static Self {
        static ALL: LazyLock<Catalogue> = LazyLock::new(|| {
            Catalogue(twins::catalogue().into_iter().map(|info| (info.name, Abilities(info))).collect())
        });
        &ALL
    }

    pub(crate) fn get(&self, twin: &str) -> Option<&Abilities> {
        self.0.get(twin)
    }

    pub(crate) fn names(&self) -> String {
        self.0.keys().copied().collect::<Vec<_>>().join(", ")
    }
}

impl Abilities {
    pub(crate) fn has_operation(&self, operation: &str) -> bool {
        self.0.operations.contains(&operation)
    }

    pub(crate) fn has_action(&self, action: &str) -> bool {
        self.0.actions.contains(&action)
    }

    pub(crate) fn actions(&self) -> String {
        format!("it has {}", self.0.actions.join(", "))
    }

    /// A hint: the operations of the same resource, or all.
    pub(crate) fn operations_like(&self, operation: &str) -> String {
        let resource = operation.split('.').next().unwrap_or_default();
        let mut near: Vec<_> = self.0.operations.iter().copied().filter(|known| known.starts_with(resource)).collect();
        if near.is_empty() {
            near.clone_from(&self.0.operations);
        }
        cut(format!("it has {}", near.join(", ")), HINT_BYTES_MAX)
    }
}
