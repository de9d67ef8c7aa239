//! What a test asks a space about its calls: which there were, how often, in which order, and what was left over.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{
    fault::FaultStatus,
    journal::{Call, CallQuery, Entry, NearMiss, Order, Sought, har, nearest},
    space::Space,
};
use crate::TwinError;

const WAIT_MAX: Duration = Duration::from_secs(600); // longer than any test waits for a call
const NEAR_MISSES_MAX: usize = 100;

impl Space {
    /// The calls that fit, in their order.
    ///
    /// # Errors
    /// A question that names an unknown twin or operation, or has no JSON path where one belongs.
    pub fn find(&self, query: &CallQuery) -> Result<Vec<Call>, TwinError> {
        let (sought, name) = (self.sought(query)?, self.name());
        let entries = self.entries_after(query.after_seq);
        Ok(entries.iter().filter(|entry| sought.fits(entry, name)).map(|entry| entry.call(name)).collect())
    }

    /// How many calls fit.
    ///
    /// # Errors
    /// As [`Space::find`].
    pub fn count(&self, query: &CallQuery) -> Result<usize, TwinError> {
        let (sought, name) = (self.sought(query)?, self.name());
        Ok(self.entries_after(query.after_seq).iter().filter(|entry| sought.fits(entry, name)).count())
    }

    /// Waits until `times` calls fit, and gives all that do.
    ///
    /// # Errors
    /// As [`Space::find`]; and after `within` (at most ten minutes), saying how many there are and what came nearest.
    pub async fn wait_for(&self, query: &CallQuery, times: usize, within: Duration) -> Result<Vec<Call>, TwinError> {
        let seen = async {
            loop {
                // Ask for the wake-up before looking, so that a call between the two is not lost.
                let changed = self.shared().journal_changed.notified();
                let found = self.find(query)?;
                if found.len() >= times {
                    return Ok(found);
                }
                changed.await;
            }
        };
        match timeout(within.min(WAIT_MAX), seen).await {
            Ok(found) => found,
            Err(_) => {
                let nearest =
                    self.near_misses(query, 1)?.pop().map_or_else(|| "none".to_owned(), |miss| miss.to_string());
                Err(TwinError::Unseen { wanted: times, found: self.count(query)?, nearest })
            }
        }
    }

    /// Whether calls happened in this order, other calls between them allowed; across twins too.
    ///
    /// # Errors
    /// As [`Space::find`].
    pub fn in_order(&self, queries: &[CallQuery]) -> Result<Order, TwinError> {
        let questions = queries.iter().map(|query| self.sought(query)).collect::<Result<Vec<_>, _>>()?;
        let entries = self.entries_after(0);
        Ok(Order::of(&questions, entries.iter().map(|entry| &**entry), self.name()))
    }

    /// The calls that differ least from what was asked for, each with its differences.
    ///
    /// # Errors
    /// As [`Space::find`].
    pub fn near_misses(&self, query: &CallQuery, at_most: usize) -> Result<Vec<NearMiss>, TwinError> {
        let sought = self.sought(query)?;
        let entries = self.entries_after(query.after_seq);
        let entries = entries.iter().map(|entry| &**entry);
        Ok(nearest(&sought, entries, self.name(), at_most.min(NEAR_MISSES_MAX)))
    }

    /// Rules that never fired, by twin: each is a hole in a scenario.
    pub fn unfired_faults(&self) -> BTreeMap<String, Vec<FaultStatus>> {
        let core = self.shared().core();
        let unfired = |faults: Vec<FaultStatus>| faults.into_iter().filter(|status| status.fired == 0).collect();
        let by_twin = core.cells.iter().map(|(name, cell)| (name.to_string(), unfired(cell.faults.status())));
        by_twin.filter(|(_, faults): &(_, Vec<_>)| !faults.is_empty()).collect()
    }

    /// Fields that clients sent and the twin never looked at, by twin and operation. Operations that keep no record
    /// of what they read are left out.
    pub fn unread_fields(&self) -> BTreeMap<String, BTreeMap<String, Vec<String>>> {
        let mut unread: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
        for entry in self.entries_after(0) {
            let (Some(operation), Some(fields)) = (entry.operation, &entry.unread) else { continue };
            let known = unread.entry(entry.twin.to_string()).or_default().entry(operation.to_owned()).or_default();
            known.extend(fields.iter().cloned());
            known.sort();
            known.dedup();
        }
        unread.retain(|_, operations| {
            operations.retain(|_, fields| !fields.is_empty());
            !operations.is_empty()
        });
        unread
    }

    /// The calls behind number `after_seq` as lines of JSON with their hash chain; see [`crate::verify_journal`].
    pub fn export_jsonl(&self, after_seq: u64, at_most: usize) -> String {
        let entries = self.entries_after(after_seq);
        entries.iter().take(at_most).map(|entry| entry.line(self.name()) + "\n").collect()
    }

    /// The calls behind number `after_seq` as an HTTP archive, version 1.2.
    pub fn export_har(&self, after_seq: u64, at_most: usize) -> serde_json::Value {
        har(self.entries_after(after_seq).iter().map(|entry| &**entry).take(at_most), self.name())
    }

    /// Shared with the journal, so that JSON is built outside the lock.
    fn entries_after(&self, seq: u64) -> Vec<Arc<Entry>> {
        self.shared().core().journal.after(seq).cloned().collect()
    }

    /// A question about something that does not exist would be answered by "never", and hide a mistake.
    fn sought(&self, query: &CallQuery) -> Result<Sought, TwinError> {
        let core = self.shared().core();
        if let Some(twin) = &query.twin {
            let cell = core.cells.get(twin.as_str()).ok_or_else(|| TwinError::NotServed { twin: twin.clone() })?;
            if let Some(operation) = query.operation.as_deref().filter(|it| !cell.twin.operations().contains(it)) {
                let why = format!("twin `{twin}` has no operation `{operation}`; `twins list` names them");
                return Err(TwinError::Query { why });
            }
        }
        drop(core);
        Sought::new(query.clone())
    }
}

impl std::fmt::Display for NearMiss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "call {} ({} {})", self.seq, self.twin, self.operation.unwrap_or("unknown operation"))?;
        for difference in &self.differences {
            write!(f, "; {} is {}, not {}", difference.field, difference.found, difference.expected)?;
        }
        Ok(())
    }
}
