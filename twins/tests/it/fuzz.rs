//! Every parser, on a corpus and on what mutation makes of it: nothing panics. `TWINS_FUZZ_CASES` says how often each is
//! asked; the seed is printed with a failure and can be set again by proptest's own variable.

use proptest::{
    collection::vec,
    prelude::{Strategy, any},
    prop_assert,
    sample::{Index, select},
    test_runner::{Config, TestRunner},
};
use twins::fuzz::TARGETS;

const CASES: u32 = 256; // of each parser; seconds in all

/// What is well formed, for one parser or another.
const CORPUS: [&str; 18] = [
    include_str!("../own/parcels.twin.yaml"),
    include_str!("../own/pets.openapi.yaml"),
    include_str!("../sdk/llm.yaml"),
    r#"{"method": "POST", "path": "/a/{id}", "query": {"q": "1"}, "body": [{"json": {"a": [1]}, "extra_fields": true}], "answer": {"text": "{{ params.id }}"}}"#,
    r#"{"path_matches": "/a/(b|c)+", "headers": {"x": {"matches": ".*"}}, "answer": {"base64": "aGk=", "dribble": {"pieces": 2, "over_ms": 1}}}"#,
    r#"{"operation": "chat.postMessage", "where": {"$.request.form.amount": 2400}, "first": 1, "kind": "status", "status": 503}"#,
    r#"{"account": {"secret_key": "sk_test_1"}, "channels": ["general"], "users": [{"login": "a", "tokens": [{"token": "t"}]}]}"#,
    "{\"recording\":1,\"upstream\":\"http://a\",\"recorded_at\":\"2026-11-20T12:00:00Z\"}\n{\"number\":1,\"operation\":\"GET /a\",\"request\":{\"method\":\"GET\",\"path\":\"/a\"},\"answer\":{\"status\":200,\"body\":{\"json\":{\"a\":1}}},\"shape\":\"empty\"}\n",
    "a=1&b[c]=2&b[d][]=3&b[d][]=4&e[0][f]=5&%5B=%",
    "--x\r\ncontent-disposition: form-data; name=\"a\"; filename=\"b\"\r\ncontent-type: text/plain\r\n\r\nhello\r\n--x--\r\n",
    "event: a\ndata: {\"type\": \"x\"}\n\n: ping\n\ndata: [DONE]\n\n",
    "{\"seq\":1,\"space\":\"s\",\"twin\":\"t\",\"operation\":null,\"fault\":null,\"rule\":null,\"virtual_at\":\"2026-11-20T12:00:00Z\",\"request\":{\"method\":\"GET\",\"path\":\"/\",\"query\":\"\",\"headers\":[],\"body\":\"\"},\"response\":null,\"previous\":\"0\",\"hash\":\"0\"}\n",
    r#"{"name": "n", "priority": 1, "scenarioName": "s", "requiredScenarioState": "Started", "newScenarioState": "x", "request": {"method": "POST", "urlPathPattern": "/a/.*", "queryParameters": {"q": {"equalTo": "1"}}, "bodyPatterns": [{"matchesJsonPath": "$.a"}, {"equalToJson": "{\"a\": 1}"}]}, "response": {"status": 200, "jsonBody": {"a": "{{request.path}}"}, "transformers": ["response-template"], "fixedDelayMilliseconds": 1}}"#,
    r#"{"when": {"method": "POST", "path": "/v1/messages", "query_param": [], "header": [], "body": "{}"}, "then": {"status": 200, "header": [{"name": "content-type", "value": "text/event-stream"}], "body": "data: 1\n\n"}}"#,
    "from ..types import (a as b, c)\nfrom typing import Optional\n\nclass A(BaseModel, Generic[T]):\n    b: Optional[List[int]] = None\n    c: Literal[\"x\", 'y']  # note\n\nB: TypeAlias = Union[A, None]\n",
    r#"userName sw "a" and not (emails[type eq "work" and value co "@"]) or urn:x:2.0:User:manager.displayName ge "2026-11-20T12:00:00Z""#,
    r#"emails[type eq "work"].value"#,
    r#"{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "attributes": ["name.givenName"], "Operations": [{"op": "add", "path": "emails[type eq \"work\"].value", "value": "a"}, {"op": "replace", "value": {"userName": "x", "name.givenName": "A", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "D"}}}, {"op": "remove", "path": "emails", "value": [{"value": "a"}]}]}"#,
];

/// One change to a text.
#[derive(Clone, Debug)]
enum Change {
    Put(Index, u8),
    Insert(Index, Vec<u8>),
    Cut(Index, u8),
    Repeat(Index, u8),
    End(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let tokens = select(vec![
        "{", "}", "[", "]", "{{", "}}", "\"", "'", ":", "- ", "\n", "\r\n", "%", "&*", "!!", "\u{0}", "é", "1e999",
        "-1",
    ]);
    proptest::prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Put(at, byte)),
        (any::<Index>(), tokens).prop_map(|(at, token)| Change::Insert(at, token.as_bytes().to_vec())),
        (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Change::Cut(at, count)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, count)| Change::Repeat(at, count)),
        any::<Index>().prop_map(Change::End),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let end = |at: usize, count: u8| (at + usize::from(count)).min(bytes.len());
        match self {
            Self::Put(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Insert(at, token) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, token.iter().copied());
            }
            Self::Cut(at, count) => {
                let at = at.index(bytes.len());
                let end = end(at, *count);
                bytes.drain(at..end);
            }
            Self::Repeat(at, count) => {
                let at = at.index(bytes.len());
                let piece = bytes[at..end(at, *count)].to_vec();
                bytes.splice(at..at, piece);
            }
            Self::End(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
}

#[test]
fn no_parser_panics() {
    let cases = std::env::var("TWINS_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    for (name, target) in TARGETS {
        CORPUS.iter().for_each(|text| target(text.as_bytes()));
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let inputs = (select(CORPUS.to_vec()), vec(change(), 0..6), vec(any::<u8>(), 0..64), any::<bool>());
        let run = runner.run(&inputs, |(text, changes, noise, is_noise)| {
            let mut bytes = if is_noise && changes.is_empty() { noise } else { text.as_bytes().to_vec() };
            changes.iter().for_each(|change| change.apply(&mut bytes));
            let fine = std::panic::catch_unwind(|| target(&bytes)).is_ok();
            prop_assert!(fine, "{name} panicked on {:?}", String::from_utf8_lossy(&bytes));
            Ok(())
        });
        run.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
