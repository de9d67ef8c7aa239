//! The clients of `WireMock` as they are, on a declared twin's own port. What they ask of the admin API is no call in the
//! journal, so that a recorder between the two writes the evidence.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;
use twins::{RecordOptions, Served, record};

use super::declared;
use crate::sdk::{Evidence, joined, run, show};

const DEFINITION: &str =
    "twin: it\nadmin: wiremock\nstubs:\n- { stub: first, path: /first, answer: { text: of the file } }\n";
const CLIENTS: [(&str, &str); 3] = [
    ("python/wiremock_clients.py", "wiremock (Python) 2.7.0"),
    ("node/wiremock_captain.mjs", "wiremock-captain 4.1.3"),
    ("node/wiremock_rest.mjs", "wiremock-rest-client 1.11.0"),
];
/// What of the API no client drives, and why.
const UNDRIVEN: [(&str, &str); 7] = [
    ("GET /__admin/health", "no client asks"),
    ("GET /__admin/mappings/unmatched", "no client asks"),
    ("GET /__admin/settings", "no client asks"),
    ("GET /__admin/version", "no client asks"),
    ("POST /__admin/mappings/import", "these clients make mappings one by one"),
    ("POST /__admin/mappings/remove", "these clients remove by id"),
    ("POST /__admin/near-misses/request", "one of these clients asks for it at a path that WireMock 3 has not"),
];

/// By operation: which clients, which statuses.
type Seen = BTreeMap<String, (BTreeSet<String>, BTreeSet<u64>)>;

fn book(recording: &str, client: &str, seen: &mut Seen) {
    for line in recording.lines().skip(1) {
        let exchange: Value = serde_json::from_str(line).unwrap();
        let operation = exchange["operation"].as_str().unwrap();
        if operation.contains(" /__admin") {
            let (clients, statuses) = seen.entry(operation.to_owned()).or_default();
            clients.insert(client.to_owned());
            statuses.insert(exchange["answer"]["status"].as_u64().unwrap());
        }
    }
}

fn table(seen: &Seen) -> String {
    let mut rows: BTreeMap<&str, String> = BTreeMap::new();
    for (operation, (clients, statuses)) in seen {
        rows.insert(operation, format!("{} | {}", joined(clients), joined(statuses)));
    }
    for (operation, why) in UNDRIVEN {
        let driven = rows.insert(operation, format!("none: {why} | "));
        assert!(driven.is_none(), "{operation} is driven: take it off the list of undriven operations");
    }
    let rows = rows.iter().map(|(operation, row)| format!("| `{operation}` | {row} |\n"));
    format!("| operation | driven by | statuses seen |\n|---|---|---|\n{}", rows.collect::<String>())
}

#[tokio::test(flavor = "multi_thread")]
async fn wiremock_clients_drive_the_admin_api() {
    let mut seen = Seen::new();
    for (script, client) in CLIENTS {
        let folder = tempfile::tempdir().unwrap();
        let (space, served) = declared(DEFINITION);
        let out = folder.path().join("admin.jsonl");
        let recorded = record(RecordOptions {
            upstream: served.base_url.parse().unwrap(),
            out: out.clone(),
            redact: Vec::new(),
            paths: vec!["/__admin/scenarios/{name}/state".to_owned()],
            port: 0,
        })
        .unwrap();
        let between = Served { base_url: recorded.base_url.clone(), port: recorded.port, ..served };
        run(&Arc::new(space), &between, script, client, &mut Evidence::default()).await;
        recorded.close().await;
        book(&std::fs::read_to_string(out).unwrap(), client, &mut seen);
    }
    show("own", &table(&seen));
}
