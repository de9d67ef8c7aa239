//! `DATABASE_URL`: another Postgres instead of the private one.

use e2e_tests::factory::Workplace;
use serde_json::Value;

use super::{SPEC, finished};

/// Issue 2, 3: the same loop on a database that somebody else runs. Here it is the private cluster of another home.
#[test]
fn a_run_works_on_the_database_that_is_named_and_starts_none() {
    let host = Workplace::empty();
    let options = store::Options { search_path: std::env::var_os("PATH"), ..store::Options::at(host.home()) };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let provided = runtime.block_on(store::provide(&options)).expect("a cluster");
    let cluster = provided.cluster.expect("a private one");
    let secret = std::fs::read_to_string(cluster.home().join("factory_owner.secret")).expect("its password");
    let socket = cluster.home().join("data");
    let url = format!("postgres:///factory?host={}&user=factory_owner&password={}", socket.display(), secret.trim());

    let place = Workplace::init();
    let with_url = |arguments: &[&str]| {
        let mut command = place.factory(arguments);
        command.env("DATABASE_URL", &url);
        finished(&place, command)
    };
    let run = with_url(&["run", SPEC, "--json"]);
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(!place.home().join("postgres").exists(), "a private database was made all the same");
    let summary: Value = serde_json::from_str(run.out.lines().last().expect("a summary")).expect("JSON");
    assert_eq!(summary["audit"], "verified");
    assert_eq!(with_url(&["audit", "verify"]).status, 0);
    let told = [&run.out, &run.err].map(|text| text.contains(secret.trim()));
    assert_eq!(told, [false, false], "the password was told");
    place.assert_nothing_runs();
    drop(cluster);
    host.assert_nothing_runs();
}
