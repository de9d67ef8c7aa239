//! AO-4: nobody changes an event. Each layer is tested with the other one out of the way.

use sqlx::PgConnection;

use crate::support::{Db, run, stream, try_run, turn};

const CHANGES: [&str; 5] = [
    "update evt_events set data = '{}'",
    "delete from evt_events",
    "truncate evt_events",
    "delete from evt_stream_heads",
    "truncate evt_stream_heads",
];
const RESTRICT_VIOLATION: &str = "23001";
const INSUFFICIENT_PRIVILEGE: &str = "42501";

async fn with_an_event() -> Db {
    let db = Db::new().await;
    db.append(&stream(), store::Expected::default(), &[turn(1)]).await.unwrap();
    db
}

async fn refusal(connection: &mut PgConnection, statement: &str) -> String {
    let error = try_run(connection, statement).await.expect_err(statement);
    error.as_database_error().expect(statement).code().expect(statement).into_owned()
}

#[tokio::test]
async fn triggers_refuse_every_change_even_by_the_owner() {
    let db = with_an_event().await;
    let mut owner = db.owner().await;
    for change in CHANGES {
        assert_eq!(refusal(&mut owner, change).await, RESTRICT_VIOLATION, "{change}");
    }
    db.end().await;
}

/// The same statements go through once the triggers are gone: so it is the triggers that the test above sees.
#[tokio::test]
async fn without_triggers_the_owner_could_change_everything() {
    let db = with_an_event().await;
    let mut owner = db.owner().await;
    run(&mut owner, "alter table evt_events disable trigger user").await;
    run(&mut owner, "alter table evt_stream_heads disable trigger user").await;
    for change in CHANGES {
        run(&mut owner, change).await;
    }
    db.end().await;
}

#[tokio::test]
async fn the_working_role_has_no_right_to_change_events_even_without_triggers() {
    let db = with_an_event().await;
    let mut owner = db.owner().await;
    run(&mut owner, "alter table evt_events disable trigger user").await;
    run(&mut owner, "alter table evt_stream_heads disable trigger user").await;
    let mut app = db.app().await;
    for change in CHANGES {
        assert_eq!(refusal(&mut app, change).await, INSUFFICIENT_PRIVILEGE, "{change}");
    }
    for escape in ["alter table evt_events disable trigger user", "set session_replication_role = replica"] {
        assert_eq!(refusal(&mut app, escape).await, INSUFFICIENT_PRIVILEGE, "{escape}");
    }
    db.end().await;
}
