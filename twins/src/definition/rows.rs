//! The tables of a declared twin: rows with ids and states, and the agenda of what time will do to them. A clone is a
//! snapshot.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rpds::RedBlackTreeMapSync;
use serde_json::{Map, Value as Json, json};

use super::{
    draw::Draw,
    errors::Problem,
    format::{IdBy, Stamp},
    plan::{Plan, TablePlan},
    template::iso,
};
use crate::engine::table::Table;

const MOVES_MAX: usize = 10_000; // by time, per request; a circle of short moves ends here
const ROWS_MAX: usize = 1_000_000; // of one table

pub(super) type Fields = Map<String, Json>;

#[derive(Clone)]
pub(super) struct Rows {
    pub(super) tables: Vec<Shelf>,
    /// What time will do: by when, and then by when it was written.
    agenda: RedBlackTreeMapSync<(Timestamp, u64), (usize, Arc<str>)>,
    next: u64,
}

#[derive(Clone, Default)]
pub(super) struct Shelf {
    pub(super) rows: Table<Row>,
    sequence: u64,
}

#[derive(Clone)]
pub(super) struct Row {
    pub(super) fields: Fields,
    /// When it came to its state.
    since: Timestamp,
    /// How often it was read since.
    calls: u32,
}

/// A row that moved by itself, and the webhook that tells of it.
pub(super) struct Moved {
    pub(super) event: String,
    pub(super) row: Fields,
    pub(super) previous: Fields,
}

impl Rows {
    pub(super) fn new(tables: usize) -> Self {
        Self { tables: vec![Shelf::default(); tables], agenda: RedBlackTreeMapSync::new_sync(), next: 0 }
    }

    /// A row of the file: what it says itself stands, its id too. Time has not begun for it.
    pub(super) fn first(
        &mut self,
        plan: &Plan,
        table: usize,
        fields: Fields,
        draw: &Draw,
        now: Timestamp,
    ) -> Result<Fields, Problem> {
        let of = &plan.tables[table];
        let id = fields.get(&of.id.field).cloned();
        self.insert(plan, table, fields, id, draw, now)
    }

    /// A row with an id, in its first state, stamped.
    pub(super) fn create(
        &mut self,
        plan: &Plan,
        table: usize,
        mut fields: Fields,
        draw: &Draw,
        now: Timestamp,
    ) -> Result<Fields, Problem> {
        let of = &plan.tables[table];
        let given = fields.remove(&of.id.field).filter(|_| of.id.from_client).filter(|id| !id.is_null());
        self.insert(plan, table, fields, given, draw, now)
    }

    fn insert(
        &mut self,
        plan: &Plan,
        table: usize,
        mut fields: Fields,
        given: Option<Json>,
        draw: &Draw,
        now: Timestamp,
    ) -> Result<Fields, Problem> {
        let of = &plan.tables[table];
        if self.tables[table].rows.len() == ROWS_MAX {
            return Err(Problem::new("conflict", format!("the table `{}` is full", of.name)));
        }
        let id = given.unwrap_or_else(|| self.tables[table].fresh_id(of, draw, now));
        let key = text(&id);
        if self.tables[table].rows.contains(&key) {
            return Err(Problem::new("conflict", format!("a row with the id `{key}` exists")).at(&of.id.field));
        }
        if let Some(states) = &of.states {
            fields.entry(states.field.clone()).or_insert_with(|| states.initial.clone().into());
        }
        for column in of.created.iter().chain(&of.updated) {
            fields.entry(column.clone()).or_insert_with(|| stamp(plan.style.timestamps, now));
        }
        fields.insert(of.id.field.clone(), id);
        self.check_unique(of, table, &fields, &key)?;
        self.tables[table].rows.insert(&key, Row { fields: fields.clone(), since: now, calls: 0 });
        self.watch(of, table, &key, &fields, now);
        Ok(fields)
    }

    pub(super) fn get(&self, plan: &Plan, table: usize, id: &str) -> Result<&Fields, Problem> {
        let missing = || Problem::new("not_found", format!("there is no `{id}` in {}", plan.tables[table].name));
        self.tables[table].rows.get(id).map(|row| &row.fields).ok_or_else(missing)
    }

    /// Books that a row was looked at; enough looks may move it.
    pub(super) fn look(&mut self, plan: &Plan, table: usize, id: &str, now: Timestamp) -> Option<Moved> {
        let of = &plan.tables[table];
        let states = of.states.as_ref()?;
        let row = self.tables[table].rows.get(id)?;
        let (step, calls) = states.by_calls(row.fields.get(&states.field)?.as_str()?)?;
        let row = self.tables[table].rows.get_mut(id)?;
        row.calls += 1;
        let enough = row.calls >= calls;
        if enough { self.enter(plan, table, id, &step.to, step.emit.clone(), now) } else { None }
    }

    /// Changes fields of a row. What its states do not allow is refused.
    pub(super) fn update(
        &mut self,
        plan: &Plan,
        table: usize,
        id: &str,
        change: impl FnOnce(Fields) -> Fields,
        now: Timestamp,
    ) -> Result<(Fields, Fields, Option<String>), Problem> {
        let of = &plan.tables[table];
        let before = self.get(plan, table, id)?.clone();
        let mut after = change(before.clone());
        after.insert(of.id.field.clone(), before[&of.id.field].clone());
        let emit = check_state(of, &before, &after)?;
        self.check_unique(of, table, &after, id)?;
        if let Some(column) = &of.updated {
            after.insert(column.clone(), stamp(plan.style.timestamps, now));
        }
        let moved = of.states.as_ref().is_some_and(|states| before.get(&states.field) != after.get(&states.field));
        let row = self.tables[table].rows.get_mut(id).expect("it was read above");
        row.fields.clone_from(&after);
        if moved {
            (row.since, row.calls) = (now, 0);
            self.watch(of, table, id, &after, now);
        }
        Ok((after, before, emit))
    }

    pub(super) fn delete(&mut self, plan: &Plan, table: usize, id: &str) -> Result<Fields, Problem> {
        let fields = self.get(plan, table, id)?.clone();
        self.tables[table].rows.remove(id);
        Ok(fields)
    }

    /// Everything that was due by now, in its order.
    pub(super) fn ripen(&mut self, plan: &Plan, now: Timestamp) -> Vec<Moved> {
        let mut moved = Vec::new();
        for _ in 0..MOVES_MAX {
            let Some((&(due, number), _)) = self.agenda.first().filter(|((due, _), _)| *due <= now) else { break };
            let (table, id) = self.agenda.get(&(due, number)).cloned().expect("it is the first one");
            self.agenda.remove_mut(&(due, number));
            moved.extend(self.ripe(plan, table, &id, due));
        }
        moved
    }

    fn ripe(&mut self, plan: &Plan, table: usize, id: &str, due: Timestamp) -> Option<Moved> {
        let states = plan.tables[table].states.as_ref()?;
        let row = self.tables[table].rows.get(id)?;
        let (step, after_ms) = states.by_time(row.fields.get(&states.field)?.as_str()?)?;
        // It left that state in between, and this is an old entry.
        if later(row.since, after_ms) != due {
            return None;
        }
        self.enter(plan, table, id, &step.to, step.emit.clone(), due)
    }

    fn enter(
        &mut self,
        plan: &Plan,
        table: usize,
        id: &str,
        state: &str,
        emit: Option<String>,
        at: Timestamp,
    ) -> Option<Moved> {
        let of = &plan.tables[table];
        let states = of.states.as_ref()?;
        let row = self.tables[table].rows.get_mut(id)?;
        let previous = row.fields.clone();
        row.fields.insert(states.field.clone(), state.into());
        if let Some(column) = &of.updated {
            row.fields.insert(column.clone(), stamp(plan.style.timestamps, at));
        }
        (row.since, row.calls) = (at, 0);
        let fields = row.fields.clone();
        self.watch(of, table, id, &fields, at);
        emit.map(|event| Moved { event, row: fields, previous })
    }

    /// Puts on the agenda what time will do to a row in its present state.
    fn watch(&mut self, of: &TablePlan, table: usize, id: &str, fields: &Fields, now: Timestamp) {
        let Some(states) = &of.states else { return };
        let state = fields.get(&states.field).and_then(Json::as_str).unwrap_or_default();
        if let Some((_, after_ms)) = states.by_time(state) {
            self.next += 1;
            self.agenda.insert_mut((later(now, after_ms), self.next), (table, id.into()));
        }
    }

    fn check_unique(&self, of: &TablePlan, table: usize, fields: &Fields, id: &str) -> Result<(), Problem> {
        for column in &of.unique {
            let Some(value) = fields.get(column).filter(|value| !value.is_null()) else { continue };
            let mut others = self.tables[table].rows.oldest_first().map(|row| &row.fields);
            let taken = |other: &Fields| other.get(column) == Some(value) && text(&other[&of.id.field]) != id;
            if others.any(taken) {
                let message = format!("another row has the {column} {value}");
                return Err(Problem::new("conflict", message).at(column));
            }
        }
        Ok(())
    }
}

impl Shelf {
    fn fresh_id(&mut self, of: &TablePlan, draw: &Draw, now: Timestamp) -> Json {
        loop {
            self.sequence += 1;
            let prefix = &of.id.prefix;
            let id = match of.id.by {
                IdBy::Letters => json!(format!("{prefix}{}", draw.letters(of.id.length))),
                IdBy::Sequence if prefix.is_empty() => json!(self.sequence),
                IdBy::Sequence => json!(format!("{prefix}{}", self.sequence)),
                IdBy::Uuid => json!(format!("{prefix}{}", draw.uuid())),
                IdBy::Ulid => json!(format!("{prefix}{}", draw.ulid(now))),
            };
            // Rows of the file may have ids of the sequence.
            if !self.rows.contains(&text(&id)) {
                return id;
            }
        }
    }
}

/// The webhook of the move, where there is one.
fn check_state(of: &TablePlan, before: &Fields, after: &Fields) -> Result<Option<String>, Problem> {
    let Some(states) = &of.states else { return Ok(None) };
    let state = |fields: &Fields| fields.get(&states.field).and_then(Json::as_str).unwrap_or_default().to_owned();
    let (from, to) = (state(before), state(after));
    if from == to {
        return Ok(None);
    }
    let refused = || Problem::new("state", format!("{} cannot go from {from} to {to}", states.field)).at(&states.field);
    states.by_hand(&from, &to).map(|step| step.emit.clone()).ok_or_else(refused)
}

fn later(at: Timestamp, ms: u64) -> Timestamp {
    let span = SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
    at.saturating_add(span).expect("a signed duration saturates")
}

pub(super) fn stamp(style: Stamp, at: Timestamp) -> Json {
    match style {
        Stamp::Iso => iso(at).into(),
        Stamp::Unix => at.as_second().into(),
        Stamp::UnixMs => at.as_millisecond().into(),
    }
}

/// An id as paths and parameters write it.
pub(super) fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}
