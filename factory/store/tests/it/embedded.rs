//! The private cluster: shared, recovered, left.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use sqlx::{Connection as _, PgConnection};
use store::{Access, Options, ProvideError, Provided, Store, provide};

use crate::support::{eventually, new_run, options_at, run, turn, workspace};

const HELPER_VARIABLE: &str = "FACTORY_STORE_TEST_DATA_HOME";

const PROVIDED: &str = "provided";

/// A data home of its own, with the shared template.
fn home() -> (tempfile::TempDir, Options) {
    let folder = tempfile::tempdir().unwrap();
    let options = options_at(&folder.path().join("data"));
    (folder, options)
}

fn data_of(provided: &Provided) -> PathBuf {
    provided.cluster.as_ref().unwrap().home().join("data")
}

async fn answers(access: &Access) -> bool {
    match PgConnection::connect_with(&access.owner).await {
        Ok(mut connection) => connection.ping().await.is_ok(),
        Err(_) => false,
    }
}

fn server_pid(data: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    text.lines().next()?.parse().ok()
}

fn is_alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).join("cwd").read_link().is_ok()
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn the_last_user_to_leave_stops_the_server() {
    let (_folder, options) = home();
    let (first, second) = (provide(&options).await.unwrap(), provide(&options).await.unwrap());
    let (access, data) = (first.access.clone(), data_of(&first));
    let pid = server_pid(&data).unwrap();
    drop(first);
    assert!(answers(&access).await, "somebody still uses it");
    drop(second);
    assert!(!is_alive(pid), "leaving waits for the stop");
    assert!(!answers(&access).await);
}

#[tokio::test]
async fn two_that_start_at_once_share_one_server() {
    let (_folder, options) = home();
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let options = options.clone();
            tokio::spawn(async move { provide(&options).await.unwrap() })
        })
        .collect();
    let mut pids = Vec::new();
    let mut provided = Vec::new();
    for task in tasks {
        let one = task.await.unwrap();
        assert!(answers(&one.access).await);
        pids.push(server_pid(&data_of(&one)).unwrap());
        provided.push(one);
    }
    pids.dedup();
    assert_eq!(pids.len(), 1);
}

/// AO-2: what was appended before the server was killed is there after the next start.
#[tokio::test]
async fn a_killed_server_is_recovered_by_the_next_start_with_everything_in_it() {
    let (_folder, options) = home();
    let store = Store::open(&options).await.unwrap();
    let id = new_run();
    store.enqueue(&id, &workspace()).await.unwrap();
    let lease = store.claim("w", std::time::Duration::from_secs(60)).await.unwrap().unwrap();
    let mut writer = store.writer(&lease).await.unwrap();
    let appended = writer.append(&[turn(1), turn(2)]).await.unwrap();
    let stream = writer.stream().clone();

    let provided = provide(&options).await.unwrap();
    let data = data_of(&provided);
    kill(server_pid(&data).unwrap());
    let again = Store::open(&options).await.unwrap();
    assert_eq!(again.all_events(&stream).await.unwrap(), appended);
    assert_eq!(again.verify(None).await.unwrap().first_bad, None);
    // And the handle from before finds the new server.
    writer.append(&[turn(3)]).await.unwrap();
    drop((writer, provided));
    store.close().await;
    again.close().await;
    assert_eq!(server_pid(&data), None);
}

/// Nobody else starts it here: its user does, and an append that met its death is written once.
#[tokio::test]
async fn a_killed_server_is_started_again_for_its_users() {
    let (_folder, options) = home();
    let provided = provide(&options).await.unwrap();
    let data = data_of(&provided);
    let store =
        Store::connect(provided.access.clone(), options.data_home.clone(), provided.cluster.clone()).await.unwrap();
    let id = new_run();
    store.enqueue(&id, &workspace()).await.unwrap();
    let lease = store.claim("w", std::time::Duration::from_secs(60)).await.unwrap().unwrap();
    let mut writer = store.writer(&lease).await.unwrap();
    writer.append(&[turn(1)]).await.unwrap();
    let killed = server_pid(&data).unwrap();
    kill(killed);
    eventually("a new server runs", async || server_pid(&data).is_some_and(|pid| pid != killed)).await;
    writer.append(&[turn(2)]).await.unwrap();
    assert_eq!(writer.head_seq(), 2);
    drop((writer, provided));
    store.close().await;
    assert_eq!(server_pid(&data), None, "who has left starts nothing");
}

#[tokio::test]
async fn a_stale_pid_file_that_names_a_stranger_does_not_stop_a_start() {
    let (_folder, options) = home();
    let provided = provide(&options).await.unwrap();
    let data = data_of(&provided);
    let text = std::fs::read_to_string(data.join("postmaster.pid")).unwrap();
    drop(provided);
    let stranger = std::process::id().to_string();
    let stale: Vec<_> = std::iter::once(stranger.as_str()).chain(text.lines().skip(1)).collect();
    std::fs::write(data.join("postmaster.pid"), stale.join("\n")).unwrap();
    assert!(answers(&provide(&options).await.unwrap().access).await);
}

/// A process that is killed cannot leave; the watchdog sees that nobody is left.
#[tokio::test]
async fn the_server_stops_when_its_last_user_is_killed() {
    let (_folder, options) = home();
    let mut user = user_process(&options);
    let data = options.data_home.join("postgres");
    eventually("the user's server runs", || async { server_below(&data).is_some() }).await;
    let pid = server_below(&data).unwrap();
    user.kill().unwrap();
    user.wait().unwrap();
    eventually("the server has stopped", || async { !is_alive(pid) }).await;
    // And a new user is not disturbed by what the old one left.
    assert!(answers(&provide(&options).await.unwrap().access).await);
}

/// The same, but another user is still there.
#[tokio::test]
async fn a_killed_user_takes_nothing_from_the_others() {
    let (_folder, options) = home();
    let mut user = user_process(&options);
    let data = options.data_home.join("postgres");
    eventually("the user's server runs", || async { server_below(&data).is_some() }).await;
    let provided = provide(&options).await.unwrap();
    let pid = server_below(&data).unwrap();
    user.kill().unwrap();
    user.wait().unwrap();
    assert!(answers(&provided.access).await);
    assert_eq!(server_below(&data), Some(pid));
    drop(provided);
    eventually("the server has stopped", || async { !is_alive(pid) }).await;
}

fn server_below(clusters: &Path) -> Option<u32> {
    let majors = clusters.read_dir().ok()?.flatten();
    let pid = majors.into_iter().find_map(|entry| server_pid(&entry.path().join("data")))?;
    is_alive(pid).then_some(pid)
}

/// This very test binary again, as another process that holds the cluster until it is killed.
fn user_process(options: &Options) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embedded::holds_the_cluster_for_another_test", "--nocapture"])
        .env(HELPER_VARIABLE, &options.data_home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Does nothing by itself: the two tests above run it as a process of its own.
#[tokio::test]
async fn holds_the_cluster_for_another_test() {
    let Some(data_home) = std::env::var_os(HELPER_VARIABLE) else { return };
    let _provided = provide(&options_at(Path::new(&data_home))).await.unwrap();
    std::future::pending().await
}

#[tokio::test]
async fn a_data_home_too_long_for_a_socket_path_works() {
    let (folder, _) = home();
    let long = folder.path().join("x".repeat(120));
    let provided = provide(&options_at(&long)).await.unwrap();
    assert!(data_of(&provided).as_os_str().len() > 107);
    assert!(answers(&provided.access).await);
}

#[tokio::test]
async fn a_second_data_home_is_a_copy_of_the_template() {
    let (_folder, options) = home();
    drop(provide(&options).await.unwrap());
    let cache = options.cache_home.clone().unwrap();
    let built = |name: &str| {
        let mut entries = cache.read_dir().unwrap().flatten();
        let template = entries.find(|entry| entry.file_name().to_string_lossy().starts_with("postgres-template-"));
        template.unwrap().path().join(name).metadata().unwrap().ino()
    };
    let before = built("data/PG_VERSION");
    let (_other_folder, other) = home();
    assert!(answers(&provide(&other).await.unwrap().access).await);
    assert_eq!(built("data/PG_VERSION"), before, "the template was not built again");
}

/// Only its owner can read the cluster, and nobody gets in without a password.
#[tokio::test]
async fn the_cluster_is_private() {
    let (_folder, options) = home();
    let provided = provide(&options).await.unwrap();
    let home = provided.cluster.as_ref().unwrap().home().to_owned();
    for path in [&home, &home.join("data")] {
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700, "{}", path.display());
    }
    for role in ["factory_owner", "factory_app"] {
        assert_eq!(home.join(format!("{role}.secret")).metadata().unwrap().mode() & 0o777, 0o600);
    }
    let wrong = provided.access.owner.clone().password("wrong");
    assert!(PgConnection::connect_with(&wrong).await.is_err());
    let mut owner = PgConnection::connect_with(&provided.access.owner).await.unwrap();
    let setting = |name: &'static str| sqlx::query_scalar::<_, String>("select current_setting($1)").bind(name);
    assert_eq!(setting("listen_addresses").fetch_one(&mut owner).await.unwrap(), "");
    assert_eq!(setting("fsync").fetch_one(&mut owner).await.unwrap(), "on");
    assert_eq!(setting("synchronous_commit").fetch_one(&mut owner).await.unwrap(), "on");
    run(&mut owner, "select 1").await;
}

/// As root the server must not be root; as anybody else it is whoever started it.
#[tokio::test]
async fn the_server_never_runs_as_root() {
    let (_folder, options) = home();
    let provided = provide(&options).await.unwrap();
    let data = data_of(&provided);
    let server = Path::new("/proc").join(server_pid(&data).unwrap().to_string()).metadata().unwrap().uid();
    assert_ne!(server, 0);
    assert_eq!(server, data.metadata().unwrap().uid());
}

/// The whole binary again as an ordinary user. Nothing to do where this is one already.
#[test]
fn an_ordinary_user_can_provide_too() {
    const UID: &str = "700050";
    if !rustix_is_root() {
        return;
    }
    let folder = tempfile::Builder::new().prefix("factory-store-").tempdir_in("/var/tmp").unwrap();
    let binary = folder.path().join("it");
    std::fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let owned = Command::new("chown").arg("-R").arg(UID).arg(folder.path()).status().unwrap();
    assert!(owned.success());
    let output = Command::new("setpriv")
        .args([format!("--reuid={UID}"), format!("--regid={UID}"), "--clear-groups".into()])
        // Postgres wants a name for its user; a namespace gives it one without an account.
        .args(["unshare", "--user", "--map-user=65534", "--map-group=65534"])
        .arg(&binary)
        .args(["--exact", "embedded::provides_for_another_test", "--nocapture"])
        .env("TMPDIR", &home)
        .env(HELPER_VARIABLE, home.join("data"))
        .current_dir("/")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    let owner = home.join("data").join(PROVIDED).metadata().expect("the helper ran to its end").uid();
    assert_eq!(owner.to_string(), UID, "{printed}");
}

fn rustix_is_root() -> bool {
    Path::new("/proc/self").metadata().unwrap().uid() == 0
}

/// Does nothing by itself: the test above runs it as another user.
#[tokio::test]
async fn provides_for_another_test() {
    let Some(data_home) = std::env::var_os(HELPER_VARIABLE) else { return };
    let options = Options { cache_home: None, ..options_at(Path::new(&data_home)) };
    let store = Store::open(&options).await.unwrap();
    let id = new_run();
    store.enqueue(&id, &workspace()).await.unwrap();
    assert!(store.claim("w", std::time::Duration::from_secs(60)).await.unwrap().is_some());
    store.close().await;
    std::fs::write(Path::new(&data_home).join(PROVIDED), "").unwrap();
}

#[tokio::test]
async fn a_missing_postgres_says_what_to_do() {
    let (folder, _) = home();
    let existing = folder.path().join("data/postgres/99/data");
    std::fs::create_dir_all(&existing).unwrap();
    std::fs::write(existing.join("PG_VERSION"), "99").unwrap();
    if rustix_is_root() {
        std::os::unix::fs::chown(&existing, Some(700_001), Some(700_001)).unwrap();
    }
    let error = provide(&options_at(&folder.path().join("data"))).await.unwrap_err();
    assert!(matches!(error, ProvideError::OtherMajor { existing: 99, .. }), "{error}");
}

#[tokio::test]
async fn a_data_home_that_is_a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "x").unwrap();
    let error = provide(&options_at(&path)).await.unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn an_external_database_is_taken_as_it_is() {
    let url = store::DatabaseUrl("postgres://me:hush@localhost/factory?host=/nowhere".into());
    let options = Options { database_url: Some(url), ..Options::at("/nowhere") };
    let provided = provide(&options).await.unwrap();
    assert!(provided.cluster.is_none());
    let started = Instant::now();
    let error = Store::connect(provided.access, "/nowhere".into(), None).await.unwrap_err().to_string();
    assert!(error.contains("DATABASE_URL"), "{error} after {:?}", started.elapsed());
}
