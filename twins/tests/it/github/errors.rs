//! How the service says no, word for word.

use reqwest::Method;
use serde_json::{Value, json};

use super::{GitHub, TOKEN};
use crate::support::{answer, header};

fn said(body: &Value) -> &str {
    body["message"].as_str().unwrap()
}

#[tokio::test]
async fn wrong_and_expired_tokens_are_bad_credentials() {
    let github = GitHub::open();
    for token in ["ghp_nobody", "ghp_old"] {
        let (status, body) = answer(github.request(Method::GET, "/user").bearer_auth(token)).await;
        assert_eq!((status, said(&body), &body["status"]), (401, "Bad credentials", &json!("401")), "{token}");
    }
    for value in [format!("token {TOKEN}"), format!("Bearer {TOKEN}"), format!("bearer {TOKEN}")] {
        let (status, body) = answer(github.request(Method::GET, "/user").header("authorization", value)).await;
        assert_eq!((status, &body["login"]), (200, &json!("octocat")));
    }
    let basic = github.request(Method::GET, "/user").basic_auth("octocat", Some(TOKEN));
    assert_eq!(answer(basic).await.0, 200);
}

#[tokio::test]
async fn what_is_public_needs_no_token_and_everything_else_does() {
    let github = GitHub::open();
    assert_eq!(answer(github.request(Method::GET, "/repos/acme/shop")).await.0, 200);
    let (status, body) = answer(github.request(Method::GET, "/user")).await;
    assert_eq!((status, said(&body)), (401, "Requires authentication"));
    let issue = github.request(Method::POST, "/repos/acme/shop/issues").json(&json!({"title": "x"}));
    assert_eq!(answer(issue).await.0, 401);
}

#[tokio::test]
async fn what_one_may_not_see_does_not_exist() {
    let github = GitHub::open();
    for token in ["ghp_hubot", "ghp_narrow"] {
        let (status, body) = answer(github.request(Method::GET, "/repos/acme/secret").bearer_auth(token)).await;
        assert_eq!((status, said(&body)), (404, "Not Found"));
    }
    assert_eq!(github.read("/repos/acme/secret").await.0, 200);
}

#[tokio::test]
async fn rights_and_scopes_bound_what_is_written() {
    let github = GitHub::open();
    let label = |token: &str| {
        let request = github.request(Method::POST, "/repos/acme/shop/labels").bearer_auth(token);
        answer(request.json(&json!({"name": "new", "color": "ffffff"})))
    };
    let (status, body) = label("ghp_hubot").await;
    assert_eq!((status, said(&body)), (403, "Must have push access to repository."));
    let collaborators = "/repos/acme/shop/collaborators/hubot";
    let added = github.request(Method::PUT, collaborators).bearer_auth(TOKEN).json(&json!({"permission": "push"}));
    assert_eq!(added.send().await.unwrap().status(), 204);
    assert_eq!(label("ghp_narrow").await.0, 404, "the account may, its token's scopes do not reach");
    assert_eq!(label("ghp_hubot").await.0, 201);
}

#[tokio::test]
async fn fields_that_do_not_fit_are_named() {
    let github = GitHub::open();
    let (status, body) = github.post("/repos/acme/shop/issues", json!({"body": "no title"})).await;
    assert_eq!((status, said(&body)), (422, "Validation Failed"));
    assert_eq!(body["errors"], json!([{"resource": "Issue", "field": "title", "code": "missing_field"}]));
    let (_, body) = github.post("/repos/acme/shop/labels", json!({"name": "bug"})).await;
    assert_eq!(body["errors"][0]["code"], "already_exists");
    let (_, body) = github.post("/user/repos", json!({"name": "shop"})).await;
    assert_eq!(body["full_name"], "octocat/shop");
    let (_, body) = github.post("/user/repos", json!({"name": "SHOP"})).await;
    assert_eq!(body["errors"][0]["message"], "name already exists on this account");
    let pull = json!({"title": "x", "head": "nowhere", "base": "main"});
    let (_, body) = github.post("/repos/acme/shop/pulls", pull).await;
    assert_eq!(body["errors"], json!([{"resource": "PullRequest", "field": "head", "code": "invalid"}]));
    let pull = json!({"title": "x", "head": "main", "base": "main"});
    let (_, body) = github.post("/repos/acme/shop/pulls", pull).await;
    assert_eq!(body["errors"][0]["message"], "No commits between main and main");
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused() {
    let github = GitHub::open();
    let send = |body: Vec<u8>| {
        let request = github.request(Method::POST, "/repos/acme/shop/issues").bearer_auth(TOKEN);
        answer(request.header("content-type", "application/json").body(body))
    };
    let (status, body) = send(b"{\"title\":".to_vec()).await;
    assert_eq!((status, said(&body)), (400, "Problems parsing JSON"));
    assert_eq!(send(vec![b'x'; 49 * 1024 * 1024]).await.0, 413);
    let form = github.request(Method::POST, "/repos/acme/shop/issues").bearer_auth(TOKEN);
    assert_eq!(answer(form.header("content-type", "text/plain").body("title")).await.0, 422);
}

#[tokio::test]
async fn unknown_operations_and_versions_are_named() {
    let github = GitHub::open();
    let (status, body) = github.post("/graphql", json!({"query": "{viewer{login}}"})).await;
    assert_eq!((status, said(&body)), (501, "the github twin does not implement POST /graphql"));
    let version = github.get("/user").header("x-github-api-version", "1999-01-01");
    assert_eq!(answer(version).await.0, 400);
    let known = github.get("/user").header("x-github-api-version", "2022-11-28").send().await.unwrap();
    assert_eq!(header(&known, "x-github-api-version-selected"), "2022-11-28");
}

#[tokio::test]
async fn a_file_is_changed_only_by_one_who_has_seen_it() {
    let github = GitHub::open();
    let path = "/repos/acme/shop/contents/README.md";
    let (_, file) = github.read(path).await;
    let change = |sha: Option<&str>| {
        let mut body = json!({"message": "m", "content": "bmV3Cg=="});
        body["sha"] = json!(sha);
        github.put(path, body)
    };
    let (status, body) = change(None).await;
    assert_eq!((status, said(&body)), (422, "Invalid request.\n\n\"sha\" wasn't supplied."));
    let wrong = "0".repeat(40);
    let (status, body) = change(Some(&wrong)).await;
    assert_eq!((status, said(&body)), (409, &*format!("README.md does not match {wrong}")));
    assert_eq!(change(file["sha"].as_str()).await.0, 200);
    assert_eq!(change(file["sha"].as_str()).await.0, 409, "the second writer lost");
}

#[tokio::test]
async fn what_cannot_be_merged_says_why() {
    let github = GitHub::open();
    let push = |branch: &str, text: &str| {
        let file = json!({"repo": "acme/shop", "path": "src/lib.rs", "text": text, "branch": branch});
        github.space.act("github", json!({"push": file})).unwrap();
    };
    push("feature", "1\ntwo\nthree\n");
    let open = json!({"title": "Digits", "head": "feature", "base": "main"});
    let (_, pull) = github.post("/repos/acme/shop/pulls", open.clone()).await;
    let (_, again) = github.post("/repos/acme/shop/pulls", open).await;
    assert_eq!(again["errors"][0]["message"], "A pull request already exists for acme:feature.");
    let merge = format!("/repos/acme/shop/pulls/{}/merge", pull["number"]);
    let (status, body) = github.put(&merge, json!({"sha": "0".repeat(40)})).await;
    assert_eq!((status, said(&body)), (409, "Head branch was modified. Review and try the merge again."));
    push("main", "uno\ntwo\nthree\n");
    let (_, conflicting) = github.read(&format!("/repos/acme/shop/pulls/{}", pull["number"])).await;
    assert_eq!((&conflicting["mergeable"], &conflicting["mergeable_state"]), (&json!(false), &json!("dirty")));
    for method in ["merge", "squash", "rebase"] {
        let (status, body) = github.put(&merge, json!({"merge_method": method})).await;
        assert_eq!((status, said(&body)), (405, "Pull Request is not mergeable"));
    }
    let (status, body) = github.post("/repos/acme/shop/merges", json!({"base": "main", "head": "feature"})).await;
    assert_eq!((status, said(&body)), (409, "Merge conflict"));
}

#[tokio::test]
async fn refs_are_checked_before_they_move() {
    let github = GitHub::open();
    let (_, head) = github.read("/repos/acme/shop/git/ref/heads/main").await;
    let sha = head["object"]["sha"].as_str().unwrap();
    let refs = "/repos/acme/shop/git/refs";
    for (body, message) in [
        (json!({"ref": "heads/x", "sha": sha}), "Reference name must start with 'refs/' and be well formed"),
        (json!({"ref": "refs/heads/a..b", "sha": sha}), "Reference name must start with 'refs/' and be well formed"),
        (json!({"ref": "refs/heads/main", "sha": sha}), "Reference already exists"),
        (json!({"ref": "refs/heads/x", "sha": "1".repeat(40)}), "Object does not exist"),
    ] {
        let (status, answer) = github.post(refs, body).await;
        assert_eq!((status, said(&answer)), (422, message));
    }
    github.space.act("github", json!({"push": {"repo": "acme/shop", "path": "a", "text": "1"}})).unwrap();
    let back = json!({"sha": sha});
    let (status, body) = github.send(Method::PATCH, &format!("{refs}/heads/main"), back).await;
    assert_eq!((status, said(&body)), (422, "Update is not a fast forward"));
    let forced = json!({"sha": sha, "force": true});
    assert_eq!(github.send(Method::PATCH, &format!("{refs}/heads/main"), forced).await.0, 200);
}

#[tokio::test]
async fn a_secondary_limit_reads_like_the_service() {
    let github = GitHub::open();
    let rule = json!({"operation": "issues.create", "kind": "rate_limit", "retry_after_s": 7, "first": 1});
    github.space.fault("github", serde_json::from_value(rule).unwrap()).unwrap();
    let create = || {
        let request = github.request(Method::POST, "/repos/acme/shop/issues").bearer_auth(TOKEN);
        request.json(&json!({"title": "x"})).send()
    };
    let limited = create().await.unwrap();
    assert_eq!((limited.status().as_u16(), header(&limited, "retry-after").as_str()), (403, "7"));
    let body: Value = limited.json().await.unwrap();
    assert!(said(&body).starts_with("You have exceeded a secondary rate limit."), "{body}");
    assert_eq!(create().await.unwrap().status(), 201);
}
