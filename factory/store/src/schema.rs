//! Brings a database up to date and chooses the login that works on it.

use sqlx::{
    Connection,
    postgres::{PgConnectOptions, PgConnection},
};

use crate::embedded::{Access, Error as ProvideError};

const SERVER_VERSION_MIN: i32 = 150_000; // 15.0, as server_version_num counts
const APP_ROLE: &str = "factory_app";

/// Why a store did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Provide(#[from] ProvideError),
    #[error("no connection to Postgres; check that it runs and that DATABASE_URL is right")]
    Connect(#[source] sqlx::Error),
    #[error("Postgres {found} is too old; 15 or newer is needed")]
    TooOld { found: String },
    #[error(
        "the schema could not be brought up to date; the login of DATABASE_URL must own the database's public schema"
    )]
    Migrate(#[source] sqlx::migrate::MigrateError),
}

/// Migrates with the owner's login and returns the one to work with: never the owner of the tables, where the server
/// allows a second role.
pub(crate) async fn migrate(access: &Access) -> Result<PgConnectOptions, OpenError> {
    let mut owner = PgConnection::connect_with(&access.owner).await.map_err(OpenError::Connect)?;
    check_version(&mut owner).await?;
    sqlx::migrate!("./migrations").run(&mut owner).await.map_err(OpenError::Migrate)?;
    let may_switch = may_work_as_app(&mut owner).await.map_err(OpenError::Connect)?;
    owner.close().await.map_err(OpenError::Connect)?;
    if let Some(app) = &access.app {
        return Ok(app.clone());
    }
    if may_switch {
        return Ok(access.owner.clone().options([("role", APP_ROLE)]));
    }
    tracing::warn!("the role {APP_ROLE} is not available; only triggers guard the event log");
    Ok(access.owner.clone())
}

async fn check_version(connection: &mut PgConnection) -> Result<(), OpenError> {
    let (number, found): (i32, String) =
        sqlx::query_as("select current_setting('server_version_num')::int, current_setting('server_version')")
            .fetch_one(connection)
            .await
            .map_err(OpenError::Connect)?;
    if number >= SERVER_VERSION_MIN { Ok(()) } else { Err(OpenError::TooOld { found }) }
}

async fn may_work_as_app(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("select coalesce((select pg_has_role(oid, 'member') from pg_roles where rolname = $1), false)")
        .bind(APP_ROLE)
        .fetch_one(connection)
        .await
}
