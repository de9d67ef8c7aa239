//! A statement on Postgres: its own connection, a time-out that the server keeps too, arguments in text form so that the
//! server itself gives them their types.

use std::{error::Error, fmt::Write as _, time::Duration};

use bytes::BytesMut;
use futures::{StreamExt as _, pin_mut};
use serde_json::{Map, Value as Json};
use tokio::{io, task::JoinHandle, time::timeout};
use tokio_postgres::{
    Client, Config, NoTls,
    config::{Host, SslMode},
    error::{ErrorPosition, SqlState},
    tls::MakeTlsConnect,
    types::{Format, IsNull, Kind, ToSql, Type, to_sql_checked},
};

use super::{
    Access, Answer, Refusal, Rows, Statement, check_names,
    metered::{Metered, Spent},
    pointed,
    postgres_tls::Tls,
    postgres_value::Cell,
};
use crate::subject::root_cause;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(1); // the server's own time-out gives the better message

/// The address without its password.
pub(super) fn shown(url: &str) -> String {
    let Ok(config) = url.parse::<Config>() else { return "with an address that cannot be read".to_owned() };
    let host = config.get_hosts().first().map_or_else(
        || "localhost".to_owned(),
        |host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        },
    );
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("postgres {host}:{port}/{}", config.get_dbname().or_else(|| config.get_user()).unwrap_or_default())
}

pub(super) async fn run(url: &str, statement: &Statement) -> Result<Answer, Refusal> {
    let connecting = timeout(CONNECT_WITHIN, Connection::open(url));
    let connection = connecting.await.map_err(|_| Refusal::Unreachable("no answer".to_owned()))??;
    let asking = connection.ask(statement);
    let answer = timeout(statement.timeout + GRACE, asking).await.map_err(|_| too_late(statement))?;
    answer.map_err(|refusal| connection.spent.explain(refusal))
}

fn too_late(statement: &Statement) -> Refusal {
    Refusal::Refused(format!("none within {} ms", statement.timeout.as_millis()))
}

struct Connection {
    client: Client,
    spent: Spent,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    async fn open(url: &str) -> Result<Self, Refusal> {
        let unreachable = |error: tokio_postgres::Error| Refusal::Unreachable(words(&error));
        let config: Config = url.parse().map_err(unreachable)?;
        let dialled = Metered::dial(&config).await;
        let (stream, spent) = dialled.map_err(|error| Refusal::Unreachable(error.to_string()))?;
        // A server's own certificate says nothing: without `sslmode=require` there is no point in asking for it.
        if config.get_ssl_mode() == SslMode::Require {
            let name = config.get_hosts().iter().find_map(|host| match host {
                Host::Tcp(name) => Some(name.as_str()),
                Host::Unix(_) => None,
            });
            let mut tls = Tls::new().map_err(Refusal::Unreachable)?;
            let tls = MakeTlsConnect::<Metered>::make_tls_connect(&mut tls, name.unwrap_or_default());
            let tls = tls.map_err(|error| Refusal::Unreachable(error.to_string()))?;
            let (client, connection) = config.connect_raw(stream, tls).await.map_err(unreachable)?;
            return Ok(Self::driven(client, connection, spent));
        }
        let plain = config.clone().ssl_mode(SslMode::Disable).connect_raw(stream, NoTls).await;
        let (client, connection) = plain.map_err(unreachable)?;
        Ok(Self::driven(client, connection, spent))
    }

    fn driven<S, T>(client: Client, connection: tokio_postgres::Connection<S, T>, spent: Spent) -> Self
    where
        S: io::AsyncRead + io::AsyncWrite + Unpin + Send + 'static,
        T: io::AsyncRead + io::AsyncWrite + Unpin + Send + 'static,
    {
        // What breaks the connection is told to the client's own calls.
        let driver = tokio::spawn(async move { connection.await.unwrap_or_default() });
        Self { client, spent, driver }
    }

    async fn ask(&self, statement: &Statement) -> Result<Answer, Refusal> {
        let refused = |error: tokio_postgres::Error| refusal(&error, statement);
        let mut settings = format!("set statement_timeout = {}", statement.timeout.as_millis());
        if statement.access == Access::ReadOnly {
            settings.push_str("; set default_transaction_read_only = on");
        }
        self.client.batch_execute(&settings).await.map_err(refused)?;
        let prepared = self.client.prepare(&statement.query).await.map_err(refused)?;
        let wanted = prepared.params().len();
        if wanted != statement.arguments.len() {
            let words = format!("the statement takes {wanted} arguments, and {} are given", statement.arguments.len());
            return Err(Refusal::Refused(words));
        }
        let names: Vec<_> = prepared.columns().iter().map(|column| column.name().to_owned()).collect();
        check_names(&names)?;
        let arguments: Vec<_> = statement.arguments.iter().map(Argument).collect();
        let arguments = arguments.iter().map(|argument| argument as &(dyn ToSql + Sync));
        let stream = self.client.query_raw(&prepared, arguments).await.map_err(refused)?;
        pin_mut!(stream);
        let mut rows = Rows::default();
        while let Some(row) = stream.next().await {
            let row = row.map_err(refused)?;
            let cells = names.iter().enumerate().map(|(n, name)| {
                let cell = row.try_get::<_, Option<Cell>>(n).map_err(refused)?;
                Ok((name.clone(), cell.map_or(Json::Null, |cell| cell.0)))
            });
            rows.push(cells.collect::<Result<Map<_, _>, Refusal>>()?)?;
        }
        let changed = names.is_empty().then(|| stream.rows_affected().unwrap_or(0));
        Ok(Answer { rows: rows.rows, changed })
    }
}

fn refusal(error: &tokio_postgres::Error, statement: &Statement) -> Refusal {
    if error.code() == Some(&SqlState::QUERY_CANCELED) {
        return too_late(statement);
    }
    let place = error.as_db_error().and_then(|error| error.position()).and_then(|position| match position {
        // In characters, from 1.
        ErrorPosition::Original(at) => {
            let n = usize::try_from(*at).ok()?.checked_sub(1)?;
            let end = statement.query.len();
            statement.query.char_indices().map(|(offset, _)| offset).chain([end]).nth(n)
        }
        ErrorPosition::Internal { .. } => None,
    });
    let mut words = words(error);
    if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) {
        words.push_str("; to write, add `access: read_write`");
    }
    Refusal::Refused(pointed(words, &statement.query, place))
}

/// What the server said, with its code, detail and hint; otherwise the cause.
fn words(error: &tokio_postgres::Error) -> String {
    let Some(told) = error.as_db_error() else { return root_cause(error) };
    let mut words = format!("{} ({})", told.message(), told.code().code());
    for more in [told.detail(), told.hint()].into_iter().flatten() {
        write!(words, "; {more}").expect("writing into a text");
    }
    words
}

/// A value as text, which the server reads by the type that the statement gives it.
#[derive(Debug)]
struct Argument<'a>(&'a Json);

impl ToSql for Argument<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if self.0.is_null() {
            return Ok(IsNull::Yes);
        }
        out.extend_from_slice(text(self.0, kind).as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

fn text(value: &Json, kind: &Type) -> String {
    let is_json = matches!(*kind, Type::JSON | Type::JSONB);
    match (value, kind.kind()) {
        (Json::String(text), _) if !is_json => text.clone(),
        (Json::Array(items), Kind::Array(of)) => {
            let items: Vec<_> = items.iter().map(|item| element(item, of)).collect();
            format!("{{{}}}", items.join(","))
        }
        (value, _) => value.to_string(),
    }
}

/// An element of an array literal.
fn element(value: &Json, kind: &Type) -> String {
    match value {
        Json::Null => "NULL".to_owned(),
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| element(item, kind)).collect();
            format!("{{{}}}", items.join(","))
        }
        value => {
            let text = text(value, kind);
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio_postgres::types::Type;

    use super::{shown, text};

    #[test]
    fn arguments_are_written_as_the_server_reads_them() {
        assert_eq!(text(&json!("it's"), &Type::TEXT), "it's");
        assert_eq!(text(&json!("it's"), &Type::JSONB), "\"it's\"");
        assert_eq!(text(&json!([1, null]), &Type::INT4_ARRAY), "{\"1\",NULL}");
        assert_eq!(text(&json!(["a\"b", "\\"]), &Type::TEXT_ARRAY), r#"{"a\"b","\\"}"#);
        assert_eq!(text(&json!([[1], [2]]), &Type::INT4_ARRAY), "{{\"1\"},{\"2\"}}");
        assert_eq!(text(&json!([1, {"a": 2}]), &Type::JSONB), "[1,{\"a\":2}]");
    }

    #[test]
    fn a_password_is_never_shown() {
        let words = shown("postgres://ann:secret@db.example:5433/shop");
        assert_eq!(words, "postgres db.example:5433/shop");
        assert!(!shown("secret").contains("secret"));
    }
}
