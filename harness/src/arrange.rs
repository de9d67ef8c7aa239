//! The twins of one trial. The only module that touches the crate `twins`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use located::Diagnostics;
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

/// The twins were called more often, or with more, than they keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flooded {
    /// How many calls are not known any more.
    pub(crate) lost: u64,
}

impl World {
    /// Serves the twins, each by its name or the path of its definition, with its configuration. Errors are the machine's or the author's, never the subject's.
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

    /// The calls of a twin. An error where the oldest are not known any more: to have been called often must not hide
    /// what was called before.
    pub(crate) fn calls(&self, twin: &str, operation: Option<&str>) -> Result<Vec<Json>, Flooded> {
        let calls = self.space.calls(twin, operation);
        // Looked at last, so that nothing can have left in between.
        match self.space.forgotten() {
            0 => Ok(calls.into_iter().map(|call| serde_json::to_value(call).expect("a call is plain data")).collect()),
            lost => Err(Flooded { lost }),
        }
    }

    /// Every call of all twins, in their order.
    pub(crate) fn all_calls(&self) -> Result<Vec<Json>, Flooded> {
        let mut calls = Vec::new();
        for served in &self.served {
            calls.extend(self.calls(&served.name, None)?);
        }
        calls.sort_by_key(|call| call["seq"].as_u64());
        Ok(calls)
    }

    /// How often each twin was called.
    pub(crate) fn call_counts(&self) -> Result<Vec<(String, usize)>, Flooded> {
        self.served.iter().map(|served| Ok((served.name.clone(), self.calls(&served.name, None)?.len()))).collect()
    }

    /// How often the twins were called, whether it is known how or not.
    pub(crate) fn call_count(&self) -> u64 {
        let kept = self.served.iter().map(|served| self.space.calls(&served.name, None).len() as u64);
        kept.sum::<u64>() + self.space.forgotten()
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

fn refused_rule(error: &serde_json::Error) -> String {
    format!("the fault rule is refused: {error}")
}

/// What names in files are checked against: every built-in twin, those of the subject's definitions, and definitions
/// by their paths.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    /// Of the subject; they win over built-in ones of the same name.
    given: Vec<Arc<Abilities>>,
    /// Each file is read once; `None` for one that is refused.
    defined: BTreeMap<PathBuf, Option<Arc<Abilities>>>,
}

/// What one twin can do.
#[derive(Debug)]
pub(crate) struct Abilities {
    info: TwinInfo,
    /// What the engine knows it by: its name, or the path of its definition.
    opened_as: String,
}

static BUILT_IN: LazyLock<BTreeMap<&'static str, Arc<Abilities>>> = LazyLock::new(|| {
    let known = |info: TwinInfo| (info.name, Arc::new(Abilities { opened_as: info.name.to_owned(), info }));
    twins::catalogue().into_iter().map(known).collect()
});

impl Catalogue {
    pub(crate) fn new(given: impl Iterator<Item = Arc<Abilities>>) -> Self {
        Self { given: given.collect(), defined: BTreeMap::new() }
    }

    pub(crate) fn get(&self, twin: &str) -> Option<Arc<Abilities>> {
        let given = self.given.iter().find(|known| known.name() == twin);
        given.cloned().or_else(|| Abilities::built_in(twin))
    }

    /// The twin that a file declares. What is wrong in it is told once; `None` where it cannot be used.
    pub(crate) fn define(&mut self, path: &Path, wrong: &mut Diagnostics) -> Option<Arc<Abilities>> {
        if let Some(known) = self.defined.get(path) {
            return known.clone();
        }
        let read = Abilities::defined(path).map_err(|errors| wrong.extend(errors.0)).ok();
        self.defined.insert(path.to_owned(), read.clone());
        read
    }

    pub(crate) fn names(&self) -> String {
        let names: BTreeSet<_> = BUILT_IN.keys().copied().chain(self.given.iter().map(|known| known.name())).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    }
}

impl Abilities {
    pub(crate) fn built_in(twin: &str) -> Option<Arc<Self>> {
        BUILT_IN.get(twin).cloned()
    }

    /// Of the twin that a file declares.
    pub(crate) fn defined(path: &Path) -> Result<Arc<Self>, Diagnostics> {
        let info = twins::definition::info(path)?;
        // A bare name of a file could be that of a built-in twin.
        let path = path.to_string_lossy();
        let opened_as = if is_definition(&path) { path.into_owned() } else { format!("./{path}") };
        Ok(Arc::new(Self { info, opened_as }))
    }

    pub(crate) fn name(&self) -> &'static str {
        self.info.name
    }

    /// What [`World::open`] knows it by.
    pub(crate) fn opened_as(&self) -> &str {
        &self.opened_as
    }

    /// Whether it takes this configuration.
    pub(crate) fn check_config(&self, config: Json) -> Result<(), String> {
        twins::check_config(&self.opened_as, config).map_err(|error| error.to_string())
    }

    /// Whether it would take this fault rule.
    pub(crate) fn check_fault(&self, rule: &Json) -> Result<(), String> {
        let rule: FaultRule = serde_json::from_value(rule.clone()).map_err(|error| refused_rule(&error))?;
        twins::check_fault(&self.opened_as, rule).map_err(|error| error.to_string())
    }

    pub(crate) fn has_operation(&self, operation: &str) -> bool {
        self.info.operations.contains(&operation)
    }

    pub(crate) fn has_action(&self, action: &str) -> bool {
        self.info.actions.contains(&action)
    }

    pub(crate) fn actions(&self) -> String {
        format!("it has {}", self.info.actions.join(", "))
    }

    /// A hint: the operations of the same resource, or all.
    pub(crate) fn operations_like(&self, operation: &str) -> String {
        let resource = operation.split('.').next().unwrap_or_default();
        let all = &self.info.operations;
        let mut near: Vec<_> = all.iter().copied().filter(|known| known.starts_with(resource)).collect();
        if near.is_empty() {
            near.clone_from(all);
        }
        cut(format!("it has {}", near.join(", ")), HINT_BYTES_MAX)
    }
}

/// Why there is no built-in twin of that name.
pub(crate) fn refused_twin(twin: &str) -> String {
    let refused = twins::check_config(twin, Json::Null).err();
    refused.map_or_else(|| format!("unknown twin `{twin}`"), |error| error.to_string())
}

/// Whether a twin is named by the path of its definition.
pub(crate) fn is_definition(twin: &str) -> bool {
    twins::definition::is_path(twin)
}
