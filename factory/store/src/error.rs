//! What can go wrong with the database itself; whoever has more to say wraps it.

/// The database failed, or holds something that this version cannot read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database failed; see `factory doctor`")]
    Database(#[source] sqlx::Error),
    #[error("event {seq} of {stream} cannot be read; it may be from a newer version: update the factory")]
    Unreadable {
        stream: String,
        seq: u64,
        #[source]
        source: serde_json::Error,
    },
}

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        Self::Database(source)
    }
}

impl Error {
    /// Whether the connection broke, so that it is unknown what the server did with the last statement.
    pub(crate) fn is_connection(&self) -> bool {
        match self {
            Self::Database(source) => connection_broke(source),
            Self::Unreadable { .. } => false,
        }
    }
}

/// Also true of a server that is going down or not up yet.
fn connection_broke(error: &sqlx::Error) -> bool {
    const GOING_OR_COMING: [&str; 3] = ["57P01", "57P02", "57P03"]; // admin_shutdown, crash_shutdown, cannot_connect_now
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| GOING_OR_COMING.contains(&code.as_ref())),
        _ => false,
    }
}

/// The name of the constraint that a statement broke.
pub(crate) fn broken_constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error().and_then(|error| error.constraint())
}

/// Postgres has no unsigned numbers. Ours are counts that never come near the limit; a wild cursor from outside does.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Back again; the schema refuses negative ones.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
