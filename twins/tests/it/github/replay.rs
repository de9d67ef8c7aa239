//! The same requests give the same bytes, hashes included.

use serde_json::{Value, json};

use super::{GitHub, config};

async fn story(github: &GitHub) -> Vec<Value> {
    let mut answers = Vec::new();
    let branch = json!({"repo": "acme/shop", "path": "src/lib.rs", "text": "one\n2\nthree\n", "branch": "digits"});
    answers.push(github.space.act("github", json!({"push": branch})).unwrap());
    let pull = json!({"title": "Digits", "head": "digits", "base": "main", "body": "Fixes #1"});
    answers.push(github.post("/repos/acme/shop/pulls", pull).await.1);
    answers.push(github.post("/repos/acme/shop/issues/2/comments", json!({"body": "nice"})).await.1);
    answers.push(github.put("/repos/acme/shop/pulls/2/merge", json!({})).await.1);
    answers.push(github.read("/repos/acme/shop/commits").await.1);
    answers.push(github.read("/repos/acme/shop/issues/1").await.1);
    answers
}

/// Without the port, which differs from run to run.
fn bare(github: &GitHub, answers: &[Value]) -> String {
    json!(answers).to_string().replace(&format!("127.0.0.1:{}", github.served.port), "twin")
}

#[tokio::test]
async fn the_same_story_gives_the_same_bytes_and_hashes() {
    let (one, other) = (GitHub::open(), GitHub::open());
    let (first, second) = (story(&one).await, story(&other).await);
    assert!(bare(&one, &first) == bare(&other, &second), "two runs differ");
    assert_eq!(first[5]["state"], "closed", "the pull request closed the issue that it fixes");
}

#[tokio::test]
async fn a_restored_snapshot_tells_the_same_story_again() {
    let github = GitHub::open();
    let before = github.space.snapshot();
    let first = story(&github).await;
    let head = github.space.journal_head();
    github.space.restore(&before);
    assert_eq!(github.read("/repos/acme/shop/branches/digits").await.0, 404);
    github.space.restore(&before);
    assert_eq!(story(&github).await, first);
    assert_eq!(github.space.journal_head(), head);
}

#[tokio::test]
async fn the_first_commit_of_a_configuration_is_known_beforehand() {
    let github = GitHub::open();
    let (_, branch) = github.read("/repos/acme/shop/branches/main").await;
    let (_, again) = GitHub::open().read("/repos/acme/shop/branches/main").await;
    assert_eq!(branch["commit"]["sha"], again["commit"]["sha"]);
    assert_eq!(branch["commit"]["commit"]["author"]["date"], "2026-01-01T00:00:00Z");
}

#[tokio::test]
async fn configurations_that_do_not_fit_are_refused() {
    for (field, value, wanted) in [
        ("repositories", json!([{"full_name": "nobody/x"}]), "no user or organization"),
        ("repositories", json!([{"full_name": "x"}]), "`owner/name`"),
        ("users", json!([{"login": "a", "tokens": ["t"]}]), "invalid type"),
        ("surprise", json!(1), "unknown field"),
    ] {
        let mut config = config();
        config[field] = value;
        let refused = crate::support::space().serve("github", config).unwrap_err().to_string();
        assert!(refused.contains(wanted), "{refused}");
    }
}
