//! `twins proxy`: twins behind the names of the real hosts, and what to tell clients.

use std::{
    io::{IsTerminal, stdout},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use twins::{Authority, ProxyOptions, serve_proxy};

use super::{
    say,
    serve::{World, open, until_ended},
};

#[derive(clap::Args)]
pub(super) struct Options {
    /// A host and the twin that stands for it: `api.stripe.com=stripe`, `*.slack.com=slack`, `api.acme.com=./acme.twin.yaml`.
    #[arg(long, required = true, value_name = "HOST=TWIN")]
    map: Vec<String>,
    /// A real host that may be reached through the proxy; all others are refused.
    #[arg(long, value_name = "HOST")]
    allow: Vec<String>,
    /// Where the local certificate authority is kept; made there where there is none.
    #[arg(long, value_name = "DIR")]
    ca_dir: PathBuf,
    /// Port of the proxy; any, where left out.
    #[arg(long, default_value_t = 0)]
    port: u16,
    #[command(flatten)]
    world: World,
}

pub(super) async fn run(options: Options) -> Result<()> {
    let map: Vec<(String, String)> = options.map.iter().map(|rule| mapping(rule)).collect::<Result<_>>()?;
    let mut twins: Vec<String> = Vec::new();
    for (_, twin) in &map {
        if !twins.contains(twin) {
            twins.push(twin.clone());
        }
    }
    let authority = Authority::open(&options.ca_dir)?;
    let ended = until_ended()?;
    let (space, mut config, admin) = options.world.space(&twins)?;
    let mut names = Vec::new();
    for twin in &twins {
        let served = open(&space, twin, &mut config)?;
        options.world.ready(&space, &served)?;
        names.push((twin.clone(), served.name));
    }
    config.nothing_left()?;
    let named = |twin: &String| names.iter().find(|(given, _)| given == twin).map(|(_, name)| name.clone());
    let map = map.iter().filter_map(|(host, twin)| Some((host.clone(), named(twin)?))).collect();
    let certificate = std::path::absolute(authority.certificate_file()).context("cannot name the certificate")?;
    let url = serve_proxy(&space, ProxyOptions { map, allow: options.allow, authority, port: options.port })?;
    let variables = variables(&url, &certificate);
    if options.world.json || !stdout().is_terminal() {
        let environment: Map<_, _> = variables.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let line =
            json!({"proxy_url": url, "ca_file": certificate, "admin_url": admin, "env": Value::Object(environment)});
        say(&mut stdout(), &line.to_string())?;
    } else {
        say(&mut stdout(), &instructions(&url, &certificate, &admin, &variables))?;
    }
    ended.await;
    space.close().await;
    Ok(())
}

fn mapping(rule: &str) -> Result<(String, String)> {
    match rule.split_once('=') {
        Some((host, twin)) if !host.is_empty() && !twin.is_empty() => Ok((host.to_owned(), twin.to_owned())),
        _ => bail!("`--map {rule}` maps nothing; write it like --map api.stripe.com=stripe"),
    }
}

/// What makes clients go through the proxy and trust it: each family has its own variable.
fn variables(url: &str, certificate: &Path) -> Vec<(&'static str, String)> {
    let file = certificate.display().to_string();
    let proxies = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];
    let trusts = [
        "SSL_CERT_FILE",       // OpenSSL: Python's ssl, httpx, Ruby
        "REQUESTS_CA_BUNDLE",  // Python's requests
        "CURL_CA_BUNDLE",      // curl
        "GIT_SSL_CAINFO",      // git
        "NODE_EXTRA_CA_CERTS", // Node
        "AWS_CA_BUNDLE",       // boto3 and the AWS command line
    ];
    let mut variables: Vec<_> = proxies.into_iter().map(|name| (name, url.to_owned())).collect();
    variables.extend(["NO_PROXY", "no_proxy"].map(|name| (name, String::new())));
    variables.extend(trusts.into_iter().map(|name| (name, file.clone())));
    // Node's own fetch and http look at the proxy variables since 24, when they are told to.
    variables.push(("NODE_USE_ENV_PROXY", "1".to_owned()));
    variables
}

fn instructions(url: &str, certificate: &Path, admin: &str, variables: &[(&str, String)]) -> String {
    let mut text = format!("proxy {url}   admin {admin}\nauthority {}\n", certificate.display());
    text.push_str("\nFor the process under test only (do not add the authority to the system's store):\n");
    for (name, value) in variables {
        text.push_str(&format!("  export {name}={value}\n"));
    }
    text.push_str("\nEnd it with Ctrl-C.");
    text
}
