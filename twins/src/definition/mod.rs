//! Twins that a file declares: tables, operations on them, rules and stubs, in one YAML document. Owns the format, its
//! checks and its meaning; clock, ids, faults, idempotency, webhooks and the journal are the engine's.
//!
//! ```yaml
//! twin: parcels
//! tables: { parcels: { id: { prefix: par_ } } }
//! operations:
//!   parcels.create: { route: POST /v1/parcels, create: parcels }
//!   parcels.get: { route: "GET /v1/parcels/{id}", get: parcels }
//! ```
//!
//! `format` is the file as written, `read` its checks, `plan` what is left of it, `twin` and `call` what it does.

mod act;
mod call;
pub(crate) mod draw;
mod errors;
mod format;
mod lists;
pub(crate) mod names;
mod plan;
mod read;
mod rows;
mod schema;
pub(crate) mod template;
mod twin;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use jiff::Timestamp;
use located::{Diagnostics, Place, Source};
use serde_json::Value as Json;

use self::{draw::Draw, format::Config, rows::Rows, twin::Own};
use crate::{
    TwinError,
    record::{self, Recording},
    stub::{NAMELESS, Stubs},
    twin::{AnyTwin, TwinInfo},
};

const RECORDED_BYTES_MAX: usize = 64 * 1024 * 1024; // of a request to a recording: as much as any service takes

/// Whether the name of a twin means a file: a definition, or a recording.
pub fn is_path(name: &str) -> bool {
    name.contains('/') || [".yaml", ".yml", ".jsonl"].iter().any(|end| name.ends_with(end))
}

/// Whether a file says that it declares a twin; it may be wrong all the same.
pub fn is_one(path: &Path) -> bool {
    let source = Source::read(path);
    source.is_ok_and(|source| {
        record::is_one(source.text()) || source.text().lines().any(|line| line.starts_with("twin:"))
    })
}

/// Reads and checks a definition.
///
/// # Errors
/// Everything that is wrong, each with its place.
pub fn check(path: &Path) -> Result<(), Diagnostics> {
    read_any(&Source::read(path)?).map(drop)
}

/// What a definition declares, as [`crate::catalogue`] shows a built-in twin.
///
/// # Errors
/// As [`check`].
pub fn info(path: &Path) -> Result<TwinInfo, Diagnostics> {
    let read::Read { plan, routes, .. } = read_any(&Source::read(path)?)?;
    let mut operations: Vec<_> = plan.operations.iter().map(|operation| operation.name).collect();
    operations.extend(&plan.stub_operations);
    operations.push(NAMELESS);
    let actions = act::ACTIONS.into_iter().chain(crate::engine::outbox::ACTIONS).collect();
    Ok(TwinInfo { name: plan.name, api_version: plan.version, speaks: "http", operations, routes, actions })
}

/// A definition, or a recording, which says nothing but stubs.
fn read_any(source: &Source) -> Result<read::Read, Diagnostics> {
    if !record::is_one(source.text()) {
        return read::read(source);
    }
    let recording = Recording::parse(source)?;
    let stubs = record::stubs(&recording).map_err(|why| source.diagnostic(Place::START, why))?;
    let name = Path::new(source.name()).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let fits = |letter: &char| letter.is_ascii_alphanumeric() || "-_".contains(*letter);
    let name: String = name.chars().take_while(fits).collect();
    let frame =
        format!("twin: {}\nbody_bytes_max: {RECORDED_BYTES_MAX}\n", if name.is_empty() { "recording" } else { &name });
    let mut read = read::read(&Source::new(source.name(), frame))?;
    read.plan.stub_operations = stubs.iter().map(|stub| stub.operation).collect::<BTreeSet<_>>().into_iter().collect();
    read.stubs = stubs;
    Ok(read)
}

/// The JSON Schema of definitions, for editors.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(format::File)
}

/// The twin of a file, in its first state.
pub(crate) fn open(path: &Path, config: Json) -> Result<Box<dyn AnyTwin>, TwinError> {
    let source = Source::read(path).map_err(|diagnostic| TwinError::Definition(diagnostic.into()))?;
    opened(&source, config)
}

pub(crate) fn opened(source: &Source, config: Json) -> Result<Box<dyn AnyTwin>, TwinError> {
    let read::Read { plan, rows, endpoints, stubs, .. } = read_any(source).map_err(TwinError::Definition)?;
    let refused = |why: String| TwinError::Config { twin: plan.name.to_owned(), why };
    let config = if config.is_null() { Json::Object(serde_json::Map::new()) } else { config };
    let config: Config = serde_json::from_value(config).map_err(|error| refused(error.to_string()))?;
    let first = config.rows.into_iter().map(|(name, rows)| {
        let place = plan.tables.iter().position(|table| table.name == name);
        place.map(|place| (place, rows)).ok_or_else(|| refused(format!("there is no table `{name}`")))
    });
    let replaced: BTreeMap<usize, _> = first.collect::<Result<_, _>>()?;
    let own = rows.into_iter().filter(|(table, _)| !replaced.contains_key(table));
    let other = replaced.iter().flat_map(|(table, rows)| rows.iter().map(|row| (*table, row.clone())));
    let mut tables = Rows::new(plan.tables.len());
    for (number, (table, row)) in own.chain(other).enumerate() {
        let draw = Draw::new(format!("first row {number}"));
        let made = tables.first(&plan, table, row, &draw, Timestamp::UNIX_EPOCH);
        made.map_err(|problem| refused(format!("a first row of `{}`: {}", plan.tables[table].name, problem.message)))?;
    }
    let mut book = Stubs::default();
    book.put(stubs).map_err(refused)?;
    let keys = config.keys.or_else(|| plan.auth.as_ref().map(|auth| auth.keys.clone())).unwrap_or_default();
    Ok(Box::new(Own {
        keys: Arc::new(keys),
        endpoints: Arc::new(config.webhooks.unwrap_or(endpoints)),
        rows: tables,
        first_stubs: book.clone(),
        stubs: book,
        windows: BTreeMap::new(),
        plan: Arc::new(plan),
    }))
}
