//! "Write a twin in ten minutes" is followed: each of its parts, put on top of those before it, is a twin that is
//! fine, and what the text says of it holds.

use std::fs;

use located::{Source, yaml};
use serde_json::{Value, json};
use tempfile::TempDir;
use twins::{Served, Space, definition};

use crate::support::{answer, client, header, space};

const GUIDE: &str = include_str!("../../../../docs/twins/own.md");
const PARTS: usize = 5;

/// The definition after each part: later fields join the earlier ones.
fn parts() -> Vec<Value> {
    let blocks = GUIDE.split("```yaml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let mut whole = json!({});
    let grown = blocks.map(|block| {
        join(&mut whole, yaml(&Source::new("own.md", block)).unwrap());
        whole.clone()
    });
    grown.collect()
}

fn join(whole: &mut Value, part: Value) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.into_iter().for_each(|(name, value)| join(whole.entry(name).or_insert(Value::Null), value));
        }
        (whole, part) => *whole = part,
    }
}

fn write(folder: &TempDir, definition: &Value) -> String {
    let path = folder.path().join("parcels.twin.yaml");
    fs::write(&path, definition.to_string()).unwrap(); // JSON is YAML
    path.to_str().unwrap().to_owned()
}

fn served(folder: &TempDir, part: usize) -> (Space, Served) {
    let space = space();
    let path = write(folder, &parts()[part]);
    let served = space.serve(&path, json!({})).unwrap();
    (space, served)
}

#[test]
fn every_part_of_the_guide_is_a_definition() {
    let folder = TempDir::new().unwrap();
    let parts = parts();
    assert_eq!(parts.len(), PARTS);
    for part in parts {
        let path = write(&folder, &part);
        definition::check(path.as_ref()).unwrap_or_else(|found| panic!("{part}\n{found}"));
    }
}

#[tokio::test]
async fn the_first_part_answers_as_the_guide_says() {
    let folder = TempDir::new().unwrap();
    let (_space, served) = served(&folder, 0);
    let url = format!("{}/v1/parcels", served.base_url);
    let (status, made) = answer(client().post(&url).json(&json!({"weight": 2}))).await;
    assert!((200..300).contains(&status), "{status}");
    assert_eq!(made["weight"], 2);
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("par_"), "{id}");
    let fields: Vec<_> = made.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["weight", "created_at", "id"]);
    assert_eq!(answer(client().get(format!("{url}/{id}"))).await.1, made);
}

#[tokio::test]
async fn the_whole_guide_is_one_twin() {
    let folder = TempDir::new().unwrap();
    let (_space, served) = served(&folder, PARTS - 1);
    let url = format!("{}/v1/parcels", served.base_url);
    let parcel = |weight: i64| client().post(&url).json(&json!({ "weight": weight }));
    assert_eq!(answer(parcel(2)).await.0, 401);
    let (status, refused) = answer(parcel(0).bearer_auth("key_1")).await;
    assert_eq!((status, refused["error"]["code"].as_str()), (422, Some("invalid")));
    let made = answer(parcel(2).bearer_auth("key_1")).await.1;
    assert_eq!(made["status"], "created");
    assert_eq!(made["tracking"].as_str().unwrap().len(), "TRK-".len() + 8);
    let status = |_: usize| client().get(format!("{}/v1/status", served.base_url)).bearer_auth("key_1").send();
    assert_eq!(status(1).await.unwrap().status(), 503);
    assert_eq!(status(2).await.unwrap().text().await.unwrap(), "ok");
    let price = client().post(format!("{}/v1/prices/eu", served.base_url)).bearer_auth("key_1").send().await.unwrap();
    assert!(header(&price, "content-type").contains("json"));
    assert_eq!(price.json::<Value>().await.unwrap(), json!({"zone": "eu", "cents": 700}));
}
