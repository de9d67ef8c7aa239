//! All stubs of a twin: found by the index first, asked for their conditions then, and moved between the states of
//! their scenarios. A clone is a snapshot.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use rpds::HashTrieMapSync;

use super::{Stub, index::Index, view::View};

pub(crate) const STARTED: &str = "Started";
const STUBS_MAX: usize = 100_000; // of one twin

#[derive(Clone, Default)]
pub(crate) struct Stubs {
    /// In the order in which they are asked.
    ordered: Arc<Vec<Arc<Stub>>>,
    index: Arc<OnceLock<Index>>,
    /// Of scenarios that have left their first one.
    states: BTreeMap<String, String>,
    hits: HashTrieMapSync<u64, u64>,
    next_number: u64,
}

impl Stubs {
    pub(crate) fn is_empty(&self) -> bool {
        self.ordered.is_empty()
    }

    pub(crate) fn all(&self) -> &[Arc<Stub>] {
        &self.ordered
    }

    pub(crate) fn get(&self, place: usize) -> Option<&Arc<Stub>> {
        self.ordered.get(place)
    }

    /// How often a stub has answered.
    pub(crate) fn hits(&self, stub: &Stub) -> u64 {
        self.hits.get(&stub.number).copied().unwrap_or(0)
    }

    /// Adds stubs, or replaces those of the same id.
    pub(crate) fn put(&mut self, stubs: impl IntoIterator<Item = Stub>) -> Result<(), String> {
        let mut all = (*self.ordered).clone();
        for mut stub in stubs {
            self.next_number += 1;
            let known = all.iter().position(|known| known.id == stub.id);
            stub.number = known.map_or(self.next_number, |place| all[place].number);
            known.map(|place| all.remove(place));
            if all.len() == STUBS_MAX {
                return Err(format!("there are {STUBS_MAX} stubs already; remove some"));
            }
            all.push(Arc::new(stub));
        }
        self.set(all);
        Ok(())
    }

    pub(crate) fn remove(&mut self, keep: impl Fn(&Stub) -> bool) -> usize {
        let mut all = (*self.ordered).clone();
        all.retain(|stub| keep(stub));
        let gone = self.ordered.len() - all.len();
        self.set(all);
        gone
    }

    fn set(&mut self, mut all: Vec<Arc<Stub>>) {
        all.sort_by_key(|stub| (stub.priority, std::cmp::Reverse(stub.number)));
        self.ordered = Arc::new(all);
        self.index = Arc::default();
    }

    /// The place of the stub that answers, in the order in which they are asked.
    pub(crate) fn find(&self, view: &View<'_>) -> Option<usize> {
        if self.ordered.is_empty() {
            return None;
        }
        let candidates = self.index.get_or_init(|| Index::of(&self.ordered)).candidates(view);
        candidates.into_iter().find(|place| {
            let stub = &self.ordered[*place];
            self.is_open(stub) && stub.fits(view)
        })
    }

    fn is_open(&self, stub: &Stub) -> bool {
        let Some(scenario) = &stub.scenario else { return true };
        scenario.state.as_deref().is_none_or(|state| state == self.state(&scenario.name))
    }

    /// Books the answer of a stub: its scenario moves on.
    pub(crate) fn served(&mut self, stub: &Stub) {
        let hits = self.hits(stub) + 1;
        self.hits.insert_mut(stub.number, hits);
        if let Some((scenario, next)) = stub.scenario.as_ref().and_then(|it| Some((it, it.next.as_ref()?))) {
            self.states.insert(scenario.name.clone(), next.clone());
        }
    }

    pub(crate) fn state(&self, scenario: &str) -> &str {
        self.states.get(scenario).map_or(STARTED, String::as_str)
    }

    /// Every scenario with its state and those that it can be in.
    pub(crate) fn scenarios(&self) -> BTreeMap<&str, (&str, Vec<&str>)> {
        let mut all: BTreeMap<&str, (&str, Vec<&str>)> = BTreeMap::new();
        for scenario in self.ordered.iter().filter_map(|stub| stub.scenario.as_ref()) {
            let state = self.state(&scenario.name);
            let (_, possible) = all.entry(&scenario.name).or_insert_with(|| (state, vec![STARTED]));
            for known in scenario.state.iter().chain(&scenario.next) {
                if !possible.contains(&known.as_str()) {
                    possible.push(known);
                }
            }
        }
        all
    }

    /// False: no stub names that scenario.
    pub(crate) fn set_state(&mut self, scenario: &str, state: &str) -> bool {
        let known = self.scenarios().contains_key(scenario);
        if known {
            self.states.insert(scenario.to_owned(), state.to_owned());
        }
        known
    }

    pub(crate) fn reset_states(&mut self) {
        self.states.clear();
    }
}
