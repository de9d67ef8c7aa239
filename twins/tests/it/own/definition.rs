//! Tables, states, rules and webhooks of a declared twin.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{KEY, declared, fixture, get, parcel, parcels, post};
use crate::support::{answer, client, engine, header};

#[tokio::test]
async fn rows_are_made_read_changed_listed_and_deleted() {
    let (space, served) = parcels();
    let (status, made) = answer(post(&served, "/v1/parcels", &parcel(12))).await;
    let row = &made["data"];
    let id = row["id"].as_str().unwrap();
    assert_eq!((status, row["status"].as_str(), &row["insured"]), (201, Some("created"), &json!(true)));
    assert!(id.len() == 16 && id.starts_with("par_"), "{id}");
    assert!(row["tracking"].as_str().unwrap().starts_with("TRK-12-"));
    assert!(row["created_at"].is_i64());
    let path = format!("/v1/parcels/{id}");
    assert_eq!(answer(get(&served, &path)).await, (200, made.clone()));
    let patch = client().patch(format!("{}{path}", served.base_url)).bearer_auth(KEY);
    let (_, changed) = answer(patch.json(&json!({"reference": "r1", "weight": 99}))).await;
    assert_eq!((&changed["data"]["reference"], &changed["data"]["weight"]), (&json!("r1"), &json!(12)));
    assert_eq!(answer(get(&served, "/v1/parcels?status=created")).await.1["total"], 1);
    assert_eq!(answer(get(&served, "/v1/parcels?status=shipped")).await.1["total"], 0);
    let delete = client().delete(format!("{}{path}", served.base_url)).bearer_auth(KEY);
    assert_eq!(answer(delete).await, (200, json!({"id": id, "deleted": true})));
    let (status, gone) = answer(get(&served, &path)).await;
    assert_eq!(
        (status, &gone["error"]),
        (404, &json!({"type": "not_found", "message": "No such parcel", "param": null}))
    );
    assert_eq!(space.calls("parcels", Some("parcels.get")).len(), 2);
}

#[tokio::test]
async fn input_that_does_not_fit_is_refused_at_its_place() {
    let (_space, served) = parcels();
    let (status, error) =
        answer(post(&served, "/v1/parcels", &json!({"to": {"city": "x", "zip": "1"}, "weight": 1}))).await;
    assert_eq!((status, &error["error"]["type"], &error["error"]["param"]), (422, &json!("invalid"), &json!("to/zip")));
    assert_eq!(answer(post(&served, "/v1/parcels", &json!({"weight": 1}))).await.0, 422);
    let broken = client().post(format!("{}/v1/parcels", served.base_url)).bearer_auth(KEY);
    let broken = broken.header("content-type", "application/json").body("{");
    assert_eq!(answer(broken).await.1["error"]["type"], "malformed");
    let (status, gap) = answer(get(&served, "/v2/nothing")).await;
    assert_eq!((status, &gap["error"]["message"]), (501, &json!("this twin has no operation for GET /v2/nothing")));
}

#[tokio::test]
async fn forms_mean_what_the_schema_expects() {
    let (_space, served) = parcels();
    let form = [("weight", "3"), ("to[city]", "Graz")];
    let sent = client().post(format!("{}/v1/parcels", served.base_url)).bearer_auth(KEY).form(&form);
    let (status, made) = answer(sent).await;
    assert_eq!((status, &made["data"]["weight"]), (201, &json!(3)));
}

#[tokio::test]
async fn keys_are_checked_with_their_scopes_and_their_end() {
    let (_space, served) = parcels();
    let with = |key: &str| client().post(format!("{}/v1/parcels", served.base_url)).bearer_auth(key).json(&parcel(1));
    let kind = |answer: (u16, Value)| (answer.0, answer.1["error"]["type"].as_str().unwrap_or_default().to_owned());
    assert_eq!(kind(answer(with("nobody")).await), (401, "credentials_wrong".to_owned()));
    assert_eq!(kind(answer(with("key_read")).await), (403, "forbidden".to_owned()));
    assert_eq!(kind(answer(with("key_old")).await), (401, "credentials_expired".to_owned()));
    let nobody = client().get(format!("{}/v1/parcels", served.base_url));
    assert_eq!(kind(answer(nobody).await), (401, "credentials_missing".to_owned()));
    let open = client().get(format!("{}/v1/depots", served.base_url));
    assert_eq!(answer(open).await.1["data"][1]["data"], json!({"id": 2, "city": "Haifa"}));
}

#[tokio::test]
async fn a_field_moves_only_as_its_states_allow() {
    let (space, served) = parcels();
    let (_, made) = answer(post(&served, "/v1/parcels", &parcel(1))).await;
    let id = made["data"]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/parcels/{id}");
    let ship = || answer(post(&served, &format!("{path}/ship"), &json!({})));
    let state = || async { answer(get(&served, &path)).await.1["data"]["status"].as_str().unwrap().to_owned() };
    assert_eq!(ship().await.1["data"]["status"], "shipped");
    let back =
        client().patch(format!("{}{path}", served.base_url)).bearer_auth(KEY).json(&json!({"status": "created"}));
    assert_eq!(answer(back).await.1["error"]["message"], "status cannot go from shipped to created");
    assert_eq!(state().await, "shipped");
    space.advance_to(space.now() + SignedDuration::from_secs(60)).unwrap();
    assert_eq!(space.state("parcels").unwrap()["parcels"][0]["status"], "in_transit", "without a request");
    assert_eq!(state().await, "in_transit");
    assert_eq!(state().await, "delivered");
    let kinds: Vec<_> = space.state("parcels").unwrap()["webhooks"]["pending"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].clone())
        .collect();
    assert_eq!(kinds, ["parcel.created", "parcel.shipped", "parcel.moving"]);
}

#[tokio::test]
async fn steps_happen_all_or_not_at_all() {
    let (space, served) = parcels();
    let split = async |weight: u32| {
        let (_, made) = answer(post(&served, "/v1/parcels", &parcel(weight))).await;
        answer(post(&served, &format!("/v1/parcels/{}/split", made["data"]["id"].as_str().unwrap()), &json!({}))).await
    };
    let (status, halves) = split(9).await;
    assert_eq!((status, halves["halves"].as_array().map(Vec::len)), (201, Some(2)));
    let (status, error) = split(1).await;
    assert_eq!(status, 409);
    assert!(error["error"]["message"].as_str().unwrap().ends_with("is too light"));
    let state = space.state("parcels").unwrap();
    let weights: Vec<_> = state["parcels"].as_array().unwrap().iter().map(|row| row["weight"].clone()).collect();
    assert_eq!(weights, [json!(5), json!(4), json!(1)], "the half of the light one is taken back");
    let pending = state["webhooks"]["pending"].as_array().unwrap();
    assert_eq!(pending.iter().filter(|event| event["type"] == "parcel.split").count(), 1);
}

#[tokio::test]
async fn lists_come_in_pages_by_cursor_with_links() {
    let (_space, served) = parcels();
    for weight in 1..=5 {
        answer(post(&served, "/v1/parcels", &parcel(weight))).await;
    }
    let (mut weights, mut path) = (Vec::new(), "/v1/parcels".to_owned());
    loop {
        let response = get(&served, &path).send().await.unwrap();
        let link = header(&response, "link");
        let page: Value = response.json().await.unwrap();
        weights.extend(page["data"].as_array().unwrap().iter().map(|row| row["data"]["weight"].as_u64().unwrap()));
        assert_eq!(page["has_more"].as_bool(), Some(link.contains("rel=\"next\"")));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/parcels?cursor={next}");
        assert!(link.contains(&path), "{link}");
    }
    assert_eq!(weights, [1, 2, 3, 4, 5]);
    assert_eq!(answer(get(&served, "/v1/parcels?limit=4")).await.1["error"]["param"], "limit");
    assert_eq!(answer(get(&served, "/v1/parcels?cursor=zzz")).await.1["error"]["param"], "cursor");
}

#[tokio::test]
async fn pages_by_number_and_offset_know_the_way_back() {
    let list = |by: &str| {
        format!(
            "twin: pages\npaging: {{ by: {by}, default: 2, link: true }}\n\
             style: {{ list: {{ data: '{{{{ items }}}}', next: '{{{{ url.next }}}}', pages: '{{{{ pages }}}}' }} }}\n\
             tables: {{ t: {{ id: {{ by: sequence }}, rows: [{{ a: 1 }}, {{ a: 2 }}, {{ a: 3 }}, {{ a: 4 }}, {{ a: 5 }}] }} }}\n\
             operations: {{ t.list: {{ route: GET /t, list: t }} }}\n"
        )
    };
    let (_space, served) = declared(&list("page"));
    let response = get(&served, "/t?page=2&x=1").send().await.unwrap();
    let link = header(&response, "link");
    for (page, rel) in [(1, "prev"), (3, "next"), (1, "first"), (3, "last")] {
        assert!(link.contains(&format!("<{}/t?x=1&page={page}>; rel=\"{rel}\"", served.base_url)), "{link}");
    }
    let (_space, served) = declared(&list("offset"));
    let (_, page) = answer(get(&served, "/t?offset=4")).await;
    assert_eq!(page, json!({"data": [{"id": 5, "a": 5}], "next": null, "pages": 3}));
    assert_eq!(answer(get(&served, "/t?offset=-1")).await.0, 400);
}

#[tokio::test]
async fn unique_fields_idempotency_and_rate_limits_hold() {
    let (space, served) = parcels();
    let body = json!({"to": {"city": "x"}, "weight": 1, "reference": "r"});
    let keyed = || post(&served, "/v1/parcels", &body).header("idempotency-key", "k");
    let (_, first) = answer(keyed()).await;
    let again = keyed().send().await.unwrap();
    assert_eq!(header(&again, "idempotent-replayed"), "true");
    assert_eq!(again.json::<Value>().await.unwrap(), first);
    let (status, taken) = answer(post(&served, "/v1/parcels", &body)).await;
    assert_eq!((status, &taken["error"]["param"]), (409, &json!("reference")));
    let mut response = get(&served, "/v1/parcels").send().await.unwrap();
    for _ in 0..60 {
        response = get(&served, "/v1/parcels").send().await.unwrap();
    }
    assert_eq!(response.status(), 429);
    assert!(header(&response, "retry-after").parse::<u64>().unwrap() <= 60);
    space.advance_to(space.now() + SignedDuration::from_secs(60)).unwrap();
    assert_eq!(answer(get(&served, "/v1/parcels")).await.0, 200);
}

#[tokio::test]
async fn the_same_requests_give_the_same_bytes_and_a_snapshot_brings_them_back() {
    let run = async |seed: u64| {
        let space = engine(seed).space("own", 1);
        let served = space.serve(&fixture("parcels.twin.yaml"), Value::Null).unwrap();
        let snapshot = space.snapshot();
        let mut bodies = Vec::new();
        for _ in 0..2 {
            let made = post(&served, "/v1/parcels", &parcel(2)).header("host", "twin").send().await.unwrap();
            bodies.push((header(&made, "x-request-id"), made.text().await.unwrap(), space.journal_head()));
            space.restore(&snapshot);
        }
        assert_eq!(bodies[0], bodies[1], "restored, it does the same again");
        bodies.remove(0)
    };
    let (one, other) = (run(7).await, run(8).await);
    assert_eq!(one, run(7).await);
    assert_ne!(one.1, other.1);
}

#[tokio::test]
async fn an_action_changes_rows_from_the_services_side() {
    let (space, served) = parcels();
    let made = space.act("parcels", json!({"create_row": {"table": "parcels", "row": {"weight": 4}}})).unwrap();
    let argument = json!({"update_row": {"table": "parcels", "id": made["id"], "row": {"weight": 5}}});
    space.act("parcels", argument).unwrap();
    let path = format!("/v1/parcels/{}", made["id"].as_str().unwrap());
    assert_eq!(answer(get(&served, &path)).await.1["data"]["weight"], 5);
    let error = space.act("parcels", json!({"create_row": {"table": "parcel"}})).unwrap_err().to_string();
    assert!(error.contains("no table `parcel`"), "{error}");
}

#[tokio::test]
async fn configuration_replaces_rows_and_keys() {
    let space = crate::support::space();
    let config = json!({"rows": {"depots": [{"city": "Oslo"}]}, "keys": {"other": {}}});
    let served = space.serve(&fixture("parcels.twin.yaml"), config).unwrap();
    assert_eq!(answer(get(&served, "/v1/depots")).await.1["total"], 1);
    assert_eq!(answer(get(&served, "/v1/parcels")).await.0, 401);
    let other = client().get(format!("{}/v1/parcels", served.base_url)).bearer_auth("other");
    assert_eq!(answer(other).await.0, 200);
    let error = space.serve(&fixture("parcels.twin.yaml"), json!({"rows": {"x": []}})).unwrap_err().to_string();
    assert!(error.contains("there is no table `x`"), "{error}");
}
