//! What is wrong in a definition is said with its place.

use std::path::Path;

use serde_json::Value;

use super::fixture;
use crate::support::space;

fn refused(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.yaml");
    std::fs::write(&path, text).unwrap();
    let error = twins::definition::check(&path).unwrap_err().to_string();
    error.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn an_unknown_table_and_a_broken_template_are_shown_with_a_caret() {
    let text = "twin: it\ntables: { parcels: {} }\noperations:\n  a: { route: GET /a, list: parcel }\n  \
                b: { route: POST /b, create: parcels, set: { x: '{{ row. }}' } }\n";
    insta::assert_snapshot!(refused(text), @r"
    it.yaml:4:29: there is no table `parcel`
       |
     4 |   a: { route: GET /a, list: parcel }
       |                             ^^^^^^
      hint: did you mean `parcels`?

    it.yaml:5:46: `row.` is no expression: syntax error: unexpected end of input, expected identifier or integer (in <expression>:1)
       |
     5 |   b: { route: POST /b, create: parcels, set: { x: '{{ row. }}' } }
       |                                              ^
    ");
}

#[test]
fn mistakes_of_every_part_are_found() {
    let wrong = |text: &str, message: &str| {
        let error = refused(&format!("twin: it\ntables: {{ t: {{}} }}\n{text}"));
        assert!(error.contains(message) && error.starts_with("it.yaml:"), "{error}\nshould say: {message}");
    };
    wrong("operatoins: {}", "did you mean `operations`?");
    wrong("operations: { a: { list: t } }", "operation `a` has no `route`");
    wrong("operations: { a: { route: FETCH /a } }", "a route begins with one of GET");
    wrong("operations: { a: { route: GET /a, list: t, get: t } }", "does two things");
    wrong("operations: { a: { route: GET /a, get: t } }", "which row?");
    wrong("operations: { a: { route: GET /a }, b: { route: GET /a } }", "operation `a` has this route already");
    wrong("operations: { a: { route: GET /a, input: { type: 7 } } }", "no JSON Schema");
    wrong("operations: { a: { route: GET /a, input: { $ref: '#/$defs/X' } } }", "`schemas` has no `X`");
    wrong("operations: { a: { route: GET /a, answer: { status: 99 } } }", "a status is 200 to 599");
    wrong("operations: { a: { route: GET /a, steps: [{ require: { that: x, else: oops } }] } }", "no error `oops`");
    wrong("errors: { not_fond: {} }", "there is no error `not_fond`");
    wrong("stubs: [{ path: /a, url: /b }]", "one of `path`");
    wrong("stubs: [{ body: [{ matches: '(' }] }]", "does not compile");
    wrong("stubs: [{ headers: { x: { contians: y } } }]", "unknown field `contians`");
    wrong("auth: { by: header, keys: {} }", "needs the `name`");
}

#[test]
fn the_example_is_fine_and_shows_its_operations() {
    let info = twins::definition::info(Path::new(&fixture("parcels.twin.yaml"))).unwrap();
    assert_eq!((info.name, info.api_version), ("parcels", "2026-11"));
    assert!(info.operations.contains(&"parcels.ship") && info.operations.contains(&"stub.door"));
}

#[test]
fn the_schema_names_the_fields_of_a_definition() {
    let schema = twins::definition::schema().to_value();
    assert!(schema["properties"]["operations"].is_object() && schema["additionalProperties"] == false);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_said_to_be_missing() {
    let error = space().serve("./nowhere.yaml", Value::Null).unwrap_err().to_string();
    assert!(error.starts_with("./nowhere.yaml: there is no such file"), "{error}");
}
