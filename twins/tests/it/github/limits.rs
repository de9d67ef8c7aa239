//! Rate limits on the virtual clock, answers that are no news, pages.

use jiff::ToSpan;
use reqwest::Method;
use serde_json::json;

use super::{GitHub, TOKEN, config};
use crate::support::{answer, header};

fn limited() -> GitHub {
    let mut config = config();
    config["rate_limit"] = json!({"core": 3, "search": 1, "anonymous": 1});
    GitHub::with(config)
}

#[tokio::test]
async fn requests_are_counted_and_the_window_passes_with_the_virtual_clock() {
    let github = limited();
    for remaining in ["2", "1", "0"] {
        let response = github.get("/user").send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "x-ratelimit-remaining").as_str()), (200, remaining));
        assert_eq!(header(&response, "x-ratelimit-limit"), "3");
    }
    let (status, body) = github.read("/user").await;
    assert_eq!((status, body["message"].as_str()), (403, Some("API rate limit exceeded for user ID 1.")));
    let (_, limits) = github.read("/rate_limit").await;
    assert_eq!((&limits["rate"]["used"], &limits["rate"]["remaining"]), (&json!(3), &json!(0)));
    let reset = limits["rate"]["reset"].as_i64().unwrap();
    assert_eq!(
        reset - github.space.now().as_second(),
        3_600,
        "an hour after the first request, a few milliseconds ago"
    );
    github.space.advance_to(github.space.now() + 61.minutes()).unwrap();
    assert_eq!(github.read("/user").await.0, 200);
}

#[tokio::test]
async fn each_account_and_search_have_quotas_of_their_own() {
    let github = limited();
    assert_eq!(answer(github.request(Method::GET, "/repos/acme/shop")).await.0, 200);
    let (status, body) = answer(github.request(Method::GET, "/repos/acme/shop")).await;
    assert_eq!(status, 403);
    assert!(body["message"].as_str().unwrap().starts_with("API rate limit exceeded for 127.0.0.1."));
    assert_eq!(github.read("/search/issues?q=cart").await.0, 200);
    assert_eq!(github.read("/search/issues?q=cart").await.0, 403);
    assert_eq!(github.read("/user").await.0, 200);
}

#[tokio::test]
async fn an_answer_that_is_known_comes_empty_and_is_not_counted() {
    let github = limited();
    let first = github.get("/repos/acme/shop").send().await.unwrap();
    let tag = header(&first, "etag");
    assert!(tag.starts_with("W/\""));
    for _ in 0..5 {
        let again = github.get("/repos/acme/shop").header("if-none-match", &tag).send().await.unwrap();
        assert_eq!((again.status().as_u16(), header(&again, "x-ratelimit-used").as_str()), (304, "1"));
        assert_eq!((header(&again, "etag"), again.text().await.unwrap()), (tag.clone(), String::new()));
    }
    github.send(Method::PATCH, "/repos/acme/shop", json!({"description": "changed"})).await;
    let changed = github.get("/repos/acme/shop").header("if-none-match", &tag).send().await.unwrap();
    assert_eq!(changed.status(), 200);
}

#[tokio::test]
async fn pages_lead_to_each_other() {
    let github = GitHub::open();
    for number in 2..=5 {
        github.post("/repos/acme/shop/issues", json!({"title": format!("Issue {number}")})).await;
    }
    let base = format!("{}/repos/acme/shop/issues?state=all&per_page=2", github.served.base_url);
    let link = |page: u32, rel: &str| format!("<{base}&page={page}>; rel=\"{rel}\"");
    let page = async |number: u32| {
        let path = format!("/repos/acme/shop/issues?state=all&per_page=2&page={number}");
        let response = github.get(&path).send().await.unwrap();
        let links = header(&response, "link");
        (links, response.json::<Vec<serde_json::Value>>().await.unwrap().len())
    };
    assert_eq!(page(1).await, (format!("{}, {}", link(2, "next"), link(3, "last")), 2));
    let all = [link(1, "prev"), link(3, "next"), link(3, "last"), link(1, "first")].join(", ");
    assert_eq!(page(2).await, (all, 2));
    assert_eq!(page(3).await, (format!("{}, {}", link(2, "prev"), link(1, "first")), 1));
    assert_eq!(page(9).await.1, 0);
}

#[tokio::test]
async fn the_api_is_below_the_enterprise_path_too_and_links_stay_there() {
    let github = GitHub::open();
    let (status, repo) = github.read("/api/v3/repos/acme/shop").await;
    let api = format!("{}/api/v3/repos/acme/shop", github.served.base_url);
    assert_eq!((status, repo["url"].as_str()), (200, Some(&*api)));
    let anonymous = github.request(Method::GET, "/repos/acme/shop").header("authorization", format!("token {TOKEN}"));
    let (_, repo) = answer(anonymous).await;
    assert_eq!(repo["url"], format!("{}/repos/acme/shop", github.served.base_url));
    let clone = format!("{}/acme/shop.git", github.served.base_url);
    assert_eq!(repo["clone_url"], clone);
}
