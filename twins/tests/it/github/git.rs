//! The real `git` against the twin: what it pushes, REST shows; what REST commits, it fetches.

use std::path::Path;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{GitHub, TOKEN};

/// A folder that `git` works in, with nothing of this machine's configuration.
struct Git {
    home: tempfile::TempDir,
    remote: String,
}

impl Git {
    fn of(github: &GitHub, token: &str, repo: &str) -> Self {
        let address = github.served.base_url.strip_prefix("http://").unwrap();
        let user = if token.is_empty() { String::new() } else { format!("x-access-token:{token}@") };
        Self { home: tempfile::tempdir().unwrap(), remote: format!("http://{user}{address}/{repo}.git") }
    }

    fn folder(&self) -> std::path::PathBuf {
        self.home.path().join("work")
    }

    async fn try_run(&self, folder: &Path, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Dev", "-c", "user.email=dev@example.com", "-c", "protocol.version=2"]);
        command.args(arguments).current_dir(folder).env_clear().env("HOME", self.home.path());
        command.env("PATH", std::env::var("PATH").unwrap()).env("GIT_TERMINAL_PROMPT", "0").kill_on_drop(true);
        let output = command.output().await.unwrap();
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(out.trim().to_owned()) } else { Err(format!("git {arguments:?}: {error}")) }
    }

    async fn run(&self, arguments: &[&str]) -> String {
        self.try_run(&self.folder(), arguments).await.unwrap()
    }

    async fn clone(&self, options: &[&str]) -> Result<String, String> {
        let arguments = [&["clone", "--quiet"], options, &[&self.remote, "work"]].concat();
        self.try_run(self.home.path(), &arguments).await
    }

    async fn commit(&self, path: &str, text: &str) -> String {
        std::fs::write(self.folder().join(path), text).unwrap();
        self.run(&["add", "--all"]).await;
        self.run(&["commit", "--quiet", "--message", &format!("Change {path}")]).await;
        self.run(&["rev-parse", "HEAD"]).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_has_what_rest_committed() {
    let github = GitHub::open();
    let content = BASE64_STANDARD.encode("hello\n");
    let body = json!({"message": "Add a greeting", "content": content});
    let (status, made) = github.put("/repos/acme/shop/contents/docs/greeting.txt", body).await;
    assert_eq!(status, 201, "{made}");
    let git = Git::of(&github, TOKEN, "acme/shop");
    git.clone(&[]).await.unwrap();
    assert_eq!(git.run(&["rev-parse", "HEAD"]).await, made["commit"]["sha"]);
    assert_eq!(std::fs::read_to_string(git.folder().join("docs/greeting.txt")).unwrap(), "hello\n");
    assert_eq!(git.run(&["log", "--format=%s|%ae", "-1"]).await, "Add a greeting|octocat@example.com");
    git.run(&["fsck", "--strict"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_moves_refs_that_rest_shows_and_a_pull_request_sees_its_commits() {
    let github = GitHub::open();
    let git = Git::of(&github, TOKEN, "acme/shop");
    git.clone(&[]).await.unwrap();
    git.run(&["switch", "--quiet", "--create", "feature"]).await;
    let first = git.commit("src/lib.rs", "one\n2\nthree\n").await;
    git.run(&["push", "--quiet", "origin", "feature"]).await;
    assert_eq!(github.read("/repos/acme/shop/git/ref/heads/feature").await.1["object"]["sha"], first);
    let pull = json!({"title": "Digits", "head": "feature", "base": "main"});
    let (status, pull) = github.post("/repos/acme/shop/pulls", pull).await;
    assert_eq!((status, &pull["head"]["sha"], &pull["mergeable"]), (201, &json!(first), &json!(true)), "{pull}");
    let second = git.commit("src/more.rs", "more\n").await;
    git.run(&["push", "--quiet", "origin", "feature"]).await;
    let (_, pull) = github.read("/repos/acme/shop/pulls/2").await;
    assert_eq!(
        (&pull["head"]["sha"], &pull["commits"], &pull["changed_files"]),
        (&json!(second), &json!(2), &json!(2))
    );
    let (status, merged) = github.put("/repos/acme/shop/pulls/2/merge", json!({"merge_method": "squash"})).await;
    assert_eq!(status, 200, "{merged}");
    git.run(&["fetch", "--quiet"]).await;
    assert_eq!(git.run(&["rev-parse", "origin/main"]).await, merged["sha"]);
    assert_eq!(git.run(&["diff", "origin/main", "feature"]).await, "");
    git.run(&["fsck", "--strict"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shallow_clone_ends_where_it_shall_and_can_be_deepened() {
    let github = GitHub::open();
    for number in 0..5 {
        let action = json!({"push": {"repo": "acme/shop", "path": "count", "text": format!("{number}\n")}});
        github.space.act("github", action).unwrap();
    }
    let git = Git::of(&github, TOKEN, "acme/shop");
    git.clone(&["--depth", "2"]).await.unwrap();
    assert_eq!(git.run(&["rev-list", "--count", "HEAD"]).await, "2");
    git.run(&["fetch", "--quiet", "--unshallow"]).await;
    assert_eq!(git.run(&["rev-list", "--count", "HEAD"]).await, "6");
    git.run(&["fsck", "--strict"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_brings_only_what_is_new() {
    let github = GitHub::open();
    let git = Git::of(&github, TOKEN, "acme/shop");
    git.clone(&[]).await.unwrap();
    let pushed =
        github.space.act("github", json!({"push": {"repo": "acme/shop", "path": "new", "text": "x\n"}})).unwrap();
    git.run(&["pull", "--quiet"]).await;
    assert_eq!(git.run(&["rev-parse", "HEAD"]).await, pushed["sha"]);
    let fetches = github.space.calls("github", Some("smart_http.fetch"));
    let objects = |call: &twins::Call| {
        let answer = call.response.as_ref().and_then(|response| response.text.clone()).unwrap();
        answer.split_once("PACK\0\0\0\u{2}\0\0\0").unwrap().1.bytes().next()
    };
    assert_eq!(objects(&fetches[0]), Some(5), "a commit, two folders, two files");
    assert_eq!(objects(fetches.last().unwrap()), Some(3), "a commit, a folder, a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_behind_the_branch_is_refused_unless_it_is_forced() {
    let github = GitHub::open();
    let git = Git::of(&github, TOKEN, "acme/shop");
    git.clone(&[]).await.unwrap();
    github.space.act("github", json!({"push": {"repo": "acme/shop", "path": "theirs", "text": "x\n"}})).unwrap();
    let own = git.commit("ours", "y\n").await;
    let refused = git.try_run(&git.folder(), &["push", "origin", "main"]).await.unwrap_err();
    assert!(refused.contains("rejected"), "{refused}");
    git.run(&["push", "--quiet", "--force", "origin", "main"]).await;
    assert_eq!(github.read("/repos/acme/shop/branches/main").await.1["commit"]["sha"], own);
    let refused = git.try_run(&git.folder(), &["push", "origin", "--delete", "main"]).await.unwrap_err();
    assert!(refused.contains("refusing to delete the current branch"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_and_deleted_branches_travel() {
    let github = GitHub::open();
    let git = Git::of(&github, TOKEN, "acme/shop");
    git.clone(&[]).await.unwrap();
    git.run(&["tag", "--annotate", "v1", "--message", "First"]).await;
    git.run(&["push", "--quiet", "origin", "v1", "main:refs/heads/old"]).await;
    let (_, tags) = github.read("/repos/acme/shop/tags").await;
    assert_eq!(
        (&tags[0]["name"], tags[0]["commit"]["sha"].as_str()),
        (&json!("v1"), Some(&*git.run(&["rev-parse", "HEAD"]).await))
    );
    let (_, tag) = github.read(&format!("/repos/acme/shop/git/tags/{}", git.run(&["rev-parse", "v1"]).await)).await;
    assert_eq!((&tag["message"], &tag["tagger"]["name"]), (&json!("First"), &json!("Dev")));
    git.run(&["push", "--quiet", "origin", "--delete", "old"]).await;
    assert_eq!(github.read("/repos/acme/shop/branches/old").await.0, 404);
    let other = Git::of(&github, TOKEN, "acme/shop");
    other.clone(&[]).await.unwrap();
    assert_eq!(other.run(&["describe"]).await, "v1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_repository_takes_its_first_push() {
    let github = GitHub::open();
    let (status, repo) = github.post("/user/repos", json!({"name": "fresh", "private": true})).await;
    assert_eq!((status, &repo["default_branch"]), (201, &json!("main")));
    let git = Git::of(&github, TOKEN, "octocat/fresh");
    git.clone(&[]).await.unwrap();
    git.run(&["switch", "--quiet", "--create", "trunk"]).await;
    let tip = git.commit("a", "1\n").await;
    git.run(&["push", "--quiet", "origin", "trunk"]).await;
    assert_eq!(github.read("/repos/octocat/fresh").await.1["default_branch"], "trunk");
    assert_eq!(github.read("/repos/octocat/fresh/commits").await.1[0]["sha"], tip);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_pushes_with_deltas_arrive_whole() {
    let github = GitHub::open();
    let git = Git::of(&github, TOKEN, "acme/shop");
    git.clone(&[]).await.unwrap();
    let mut lines: Vec<String> = (0..20_000).map(|line| format!("line {line} {}\n", line * 7919 % 10_007)).collect();
    for round in 0..6 {
        lines[round * 100] = format!("changed in round {round}\n");
        git.commit("big.txt", &lines.concat()).await;
    }
    git.run(&["gc", "--quiet"]).await;
    git.run(&["push", "--quiet", "origin", "main"]).await;
    let raw = github.get("/repos/acme/shop/contents/big.txt").header("accept", "application/vnd.github.raw+json");
    assert_eq!(raw.send().await.unwrap().text().await.unwrap(), lines.concat());
    let other = Git::of(&github, TOKEN, "acme/shop");
    other.clone(&[]).await.unwrap();
    assert_eq!(other.run(&["rev-parse", "HEAD"]).await, git.run(&["rev-parse", "HEAD"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_so() {
    let github = GitHub::open();
    let anonymous = Git::of(&github, "", "acme/shop");
    anonymous.clone(&[]).await.unwrap();
    let denied = anonymous.try_run(&anonymous.folder(), &["push", "origin", "main:refs/heads/x"]).await.unwrap_err();
    assert!(denied.contains("could not read Username"), "{denied}");
    let hubot = Git::of(&github, "ghp_hubot", "acme/shop");
    hubot.clone(&[]).await.unwrap();
    let denied = hubot.try_run(&hubot.folder(), &["push", "origin", "main:refs/heads/x"]).await.unwrap_err();
    assert!(denied.contains("denied to hubot") || denied.contains("403"), "{denied}");
    let secret = Git::of(&github, "ghp_hubot", "acme/secret").clone(&[]).await.unwrap_err();
    assert!(secret.contains("not found"), "{secret}");
    let wrong = Git::of(&github, "ghp_nobody", "acme/secret").clone(&[]).await.unwrap_err();
    assert!(wrong.contains("Authentication failed"), "{wrong}");
}

#[tokio::test]
async fn broken_packs_and_lines_change_nothing() {
    let github = GitHub::open();
    let (_, before) = github.read("/repos/acme/shop/git/matching-refs/").await;
    let zero = "0".repeat(40);
    let line = format!("{zero} {} refs/heads/evil\0report-status\n", before[0]["object"]["sha"].as_str().unwrap());
    let command = format!("{:04x}{line}0000", line.len() + 4);
    let push = |body: Vec<u8>| {
        let request = github.request(Method::POST, "/acme/shop.git/git-receive-pack").bearer_auth(TOKEN);
        request.header("content-type", "application/x-git-receive-pack-request").body(body).send()
    };
    for pack in [b"PACK".to_vec(), b"PACK\0\0\0\x02\0\0\0\x01garbage-and-no-checksum".to_vec()] {
        let answer = push([command.clone().into_bytes(), pack].concat()).await.unwrap();
        assert_eq!(answer.status(), 200);
        let report = answer.text().await.unwrap();
        assert!(report.contains("ng refs/heads/evil"), "{report}");
    }
    for body in [b"zzzz".to_vec(), b"0010no command".to_vec(), b"ffff".to_vec()] {
        assert_eq!(push(body).await.unwrap().status(), 400);
    }
    let unzipped = github.request(Method::POST, "/acme/shop.git/git-upload-pack").header("content-encoding", "gzip");
    assert_eq!(unzipped.body("no gzip").send().await.unwrap().status(), 400);
    let (_, after): (u16, Value) = github.read("/repos/acme/shop/git/matching-refs/").await;
    assert_eq!(before, after);
}
