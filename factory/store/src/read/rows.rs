//! Columns as the types of the model.

use std::str::FromStr;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::{Row, postgres::PgRow};

use crate::error::unsigned;

pub(crate) fn number(row: &PgRow, column: &str) -> sqlx::Result<u64> {
    row.try_get::<i64, _>(column).map(unsigned)
}

pub(crate) fn small(row: &PgRow, column: &str) -> sqlx::Result<u32> {
    row.try_get::<i32, _>(column).map(|number| u32::try_from(number).unwrap_or(0))
}

pub(crate) fn maybe_small(row: &PgRow, column: &str) -> sqlx::Result<Option<u32>> {
    row.try_get::<Option<i32>, _>(column).map(|number| number.and_then(|number| u32::try_from(number).ok()))
}

pub(crate) fn at(row: &PgRow, column: &str) -> sqlx::Result<Timestamp> {
    row.try_get::<jiff_sqlx::Timestamp, _>(column).map(jiff_sqlx::Timestamp::to_jiff)
}

pub(crate) fn maybe_at(row: &PgRow, column: &str) -> sqlx::Result<Option<Timestamp>> {
    row.try_get::<Option<jiff_sqlx::Timestamp>, _>(column).map(|at| at.map(jiff_sqlx::Timestamp::to_jiff))
}

/// A newtype that is written as text.
pub(crate) fn id<T>(row: &PgRow, column: &str) -> sqlx::Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    row.try_get::<&str, _>(column)?.parse().map_err(|error| unreadable(column, error))
}

/// An enum of words.
pub(crate) fn word<T: DeserializeOwned>(row: &PgRow, column: &str) -> sqlx::Result<T> {
    let word: String = row.try_get(column)?;
    serde_json::from_value(word.into()).map_err(|error| unreadable(column, error))
}

pub(crate) fn maybe_word<T: DeserializeOwned>(row: &PgRow, column: &str) -> sqlx::Result<Option<T>> {
    let word: Option<String> = row.try_get(column)?;
    word.map(|word| serde_json::from_value(word.into()).map_err(|error| unreadable(column, error))).transpose()
}

/// A json column.
pub(crate) fn json<T: DeserializeOwned>(row: &PgRow, column: &str) -> sqlx::Result<T> {
    let text: &str = row.try_get_unchecked(column)?;
    serde_json::from_str(text).map_err(|error| unreadable(column, error))
}

pub(crate) fn maybe_json<T: DeserializeOwned>(row: &PgRow, column: &str) -> sqlx::Result<Option<T>> {
    let text: Option<&str> = row.try_get_unchecked(column)?;
    text.map(|text| serde_json::from_str(text).map_err(|error| unreadable(column, error))).transpose()
}

fn unreadable(column: &str, error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(error) }
}
