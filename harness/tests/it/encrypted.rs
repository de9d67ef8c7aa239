//! TLS where no step says whose certificates count: a WebSocket and a database trust those of the machine, which
//! `SSL_CERT_FILE` names to the real program. Names are checked, and nothing turns that off.

use std::{path::Path, process::Command, sync::Arc};

use futures::{SinkExt as _, StreamExt as _};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{cli::text, http_transport::Authority, kit, stored_runs::tool};

/// What the program says, and how it ends, on a machine that trusts this authority alone.
async fn run(dir: &Path, authority: &Authority, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.args(["run", "--no-store"]).args(arguments).current_dir(dir);
    command.env("SSL_CERT_FILE", authority.folder.path().join("ca.pem")).env_remove("SSL_CERT_DIR");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

/// Says over TLS what it hears. Its certificate is for `shop.test` and 127.0.0.1.
async fn echo(authority: &Authority) -> u16 {
    kit::tls();
    let (certificate, key) = authority.issue("shop.test");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // The readiness check says nothing, and a client that does not trust goes away.
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
                while let Some(Ok(message)) = socket.next().await {
                    if !message.is_text() || socket.send(message).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn a_websocket_over_tls_is_trusted_by_name_and_authority() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let port = echo(&authority).await;
    let step = "steps: [{ websocket: { connect: /, send: [hello], until: { messages: 1 } }, expect: { json: [{ data: hello }] } }]";
    let dir = tool(&[("a", step)]);
    let [right, wrong] = ["127.0.0.1", "localhost"].map(|host| format!("https://{host}:{port}"));
    let (status, said) = run(dir.path(), &authority, &["--target", &right]).await;
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = run(dir.path(), &authority, &["--target", &wrong]).await;
    assert!(status == Some(1) && said.contains("certificate not valid for name \"localhost\""), "{status:?} {said}");
    let (status, said) = run(dir.path(), &stranger, &["--target", &right]).await;
    assert!(status == Some(1) && said.contains("invalid peer certificate: "), "{status:?} {said}");
}

#[tokio::test]
async fn a_database_over_tls_is_trusted_by_name_and_authority() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.issue("shop.test");
    std::fs::write(authority.folder.path().join("server.pem"), certificate.pem()).unwrap();
    std::fs::write(authority.folder.path().join("server.key"), key.serialize_pem()).unwrap();
    let ask = |host: &str, mode: &str, expected: bool| {
        format!(
            "steps: [{{ sql: {{ postgres: \"postgres://ann@{host}:{{{{ subject.port }}}}/postgres{mode}\", \
             query: select ssl from pg_stat_ssl where pid = pg_backend_pid() }}, expect: {{ json: [{{ ssl: {expected} }}] }} }}]"
        )
    };
    let dir = tool(&[
        ("encrypted", &ask("127.0.0.1", "?sslmode=require", true)),
        ("open", &ask("127.0.0.1", "", false)),
        ("misnamed", &ask("localhost", "?sslmode=require", true)),
    ]);
    let config = format!(
        "subject: database\nstart: {{ argv: [sh, postgres.sh], env: {{ PORT: \"{{{{ port }}}}\", DATA_DIR: \"{{{{ data_dir }}}}\", TLS: {:?} }} }}\n\
         ready: {{ log: \"ready to accept connections\", within: 60s }}\nenv_allow: [FACTORY_TOOLS_DIR]\n",
        authority.folder.path()
    );
    std::fs::write(dir.path().join("harness.yaml"), config).unwrap();
    std::fs::copy(kit::subjects().join("postgres.sh"), dir.path().join("postgres.sh")).unwrap();
    let (status, said) = run(dir.path(), &authority, &["--filter", "^(encrypted|open)$"]).await;
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = run(dir.path(), &authority, &["--filter", "^misnamed$"]).await;
    assert!(status == Some(5) && said.contains("certificate not valid for name \"localhost\""), "{status:?} {said}");
    let (status, said) = run(dir.path(), &stranger, &["--filter", "^encrypted$"]).await;
    assert!(status == Some(5) && said.contains("invalid peer certificate: "), "{status:?} {said}");
}
