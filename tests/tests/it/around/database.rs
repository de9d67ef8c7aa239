//! `DATABASE_URL`: another Postgres instead of the private one.

use std::process::Command;

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

/// Issue 2, 3: where no Postgres can be found, the command that installs one is told, and nothing is begun.
#[test]
fn without_postgres_programs_the_command_that_installs_them_is_told() {
    let place = Workplace::empty();
    let hidden = "[ ! -d /usr/lib/postgresql ] || mount -t tmpfs none /usr/lib/postgresql; exec \"$@\"";
    let without_postgres = |arguments: &[&str]| {
        let factory = place.factory(arguments);
        let mut command = Command::new("unshare");
        // A mount of its own that nobody else sees; an ordinary user may make it in a user namespace, as who they are.
        let as_user = ["--user", "--map-current-user", "--keep-caps", "--mount"];
        command.args(if rustix::process::geteuid().is_root() { &as_user[3..] } else { &as_user });
        command.args(["sh", "-c", hidden, "sh"]).arg(factory.get_program()).args(factory.get_args());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("FACTORY_HOME", place.home());
        finished(&place, command)
    };
    let runs = without_postgres(&["runs"]);
    assert_eq!(runs.status, 5, "{runs:?}");
    insta::assert_snapshot!(runs.err, @"error: no Postgres 15 or newer was found; install it (Debian: apt-get install postgresql), name its bin folder in FACTORY_PG_BIN, or set DATABASE_URL");
    let doctor = without_postgres(&["doctor"]);
    assert!(doctor.out.contains("✗ database"), "{}", doctor.out);
    assert!(doctor.out.contains("→ apt-get install postgresql"), "{}", doctor.out);
    place.assert_nothing_runs();
}
