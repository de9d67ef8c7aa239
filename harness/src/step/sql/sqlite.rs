//! A statement on a file of `SQLite`. Integers and reals are numbers, a blob is hexadecimal digits; there are no booleans
//! and no times.
//!
//! The file is the subject's, so its schema is not trusted: no attached files, no functions with effects from views, and
//! a program that runs on is interrupted.

use std::{path::PathBuf, time::Instant};

use rusqlite::{
    Connection, Error, ErrorCode, OpenFlags,
    config::DbConfig,
    limits::Limit,
    params_from_iter,
    types::{Value, ValueRef},
};
use serde_json::{Map, Number, Value as Json};

use super::{Access, Answer, BYTES_MAX, Refusal, Rows, Statement, check_names, pointed};

const OPERATIONS_PER_LOOK: i32 = 10_000; // of SQLite's machine, some 0.1 ms: how often the time is looked at

pub(super) async fn run(path: PathBuf, statement: Statement) -> Result<Answer, Refusal> {
    let asking = tokio::task::spawn_blocking(move || {
        let refused = |error: Error| refusal(&error, &statement);
        let connection = open(&path, &statement).map_err(refused)?;
        ask(&connection, &statement)
    });
    asking.await.unwrap_or_else(|error| Err(Refusal::Unreachable(error.to_string())))
}

/// Opens for writing also to read: a reader must be able to finish what a killed writer began.
fn open(path: &PathBuf, statement: &Statement) -> Result<Connection, Error> {
    let deadline = Instant::now() + statement.timeout;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(statement.timeout)?;
    connection.progress_handler(OPERATIONS_PER_LOOK, Some(move || Instant::now() > deadline))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(BYTES_MAX).unwrap_or(i32::MAX))?;
    if statement.access == Access::ReadOnly {
        connection.pragma_update(None, "query_only", true)?;
    }
    Ok(connection)
}

fn ask(connection: &Connection, statement: &Statement) -> Result<Answer, Refusal> {
    let refused = |error: Error| refusal(&error, statement);
    let mut prepared = connection.prepare(&statement.query).map_err(refused)?;
    let wanted = prepared.parameter_count();
    if wanted != statement.arguments.len() {
        let words = format!("the statement takes {wanted} arguments, and {} are given", statement.arguments.len());
        return Err(Refusal::Refused(words));
    }
    let names: Vec<_> = prepared.column_names().into_iter().map(str::to_owned).collect();
    check_names(&names)?;
    let arguments = params_from_iter(statement.arguments.iter().map(argument));
    if names.is_empty() {
        let changed = prepared.execute(arguments).map_err(refused)?;
        return Ok(Answer { rows: Vec::new(), changed: Some(changed as u64) });
    }
    let mut found = prepared.query(arguments).map_err(refused)?;
    let mut rows = Rows::default();
    while let Some(row) = found.next().map_err(refused)? {
        let cells = names.iter().enumerate().map(|(n, name)| Ok((name.clone(), json(row.get_ref(n)?))));
        rows.push(cells.collect::<Result<Map<_, _>, Error>>().map_err(refused)?)?;
    }
    Ok(Answer { rows: rows.rows, changed: None })
}

fn argument(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Integer((*value).into()),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Integer(whole),
            None => Value::Real(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(_) | Json::Object(_) => Value::Text(value.to_string()),
    }
}

fn json(value: ValueRef<'_>) -> Json {
    match value {
        ValueRef::Null => Json::Null,
        ValueRef::Integer(whole) => whole.into(),
        ValueRef::Real(real) => Number::from_f64(real).map_or_else(|| real.to_string().into(), Json::Number),
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes).into_owned().into(),
        ValueRef::Blob(bytes) => hex::encode(bytes).into(),
    }
}

fn refusal(error: &Error, statement: &Statement) -> Refusal {
    let (words, offset) = match error {
        Error::SqlInputError { msg, offset, .. } => (msg.clone(), usize::try_from(*offset).ok()),
        Error::MultipleStatement => ("one statement is run, and several are written".to_owned(), None),
        error => match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => {
                (format!("none within {} ms", statement.timeout.as_millis()), None)
            }
            Some(ErrorCode::ReadOnly) => (format!("{error}; to write, add `access: read_write`"), None),
            _ => (error.to_string(), None),
        },
    };
    Refusal::Refused(pointed(words, &statement.query, offset))
}
