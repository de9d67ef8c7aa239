//! Hurl 8 files: one scenario per file, one step per entry.
//!
//! `parse` reads a file whole into `ast`; `convert` writes the entries as steps, with `request`, `settings` (the
//! options) and `checks` (the response); `names` knows what each variable is called. Every entry keeps its verdict.

mod assert;
mod ast;
mod body;
mod checks;
mod convert;
mod names;
mod options;
mod origin;
mod parse;
mod request;
mod scan;
mod section;
mod settings;

use std::{collections::BTreeMap, path::PathBuf};

use located::{Diagnostic, Source};

use super::Imported;

/// What the user says beside the file.
#[derive(Clone, Debug, Default)]
pub struct HurlOptions {
    /// The origin that the subject stands for: `http://localhost:8080` or `{{host}}`. By default the one of most entries.
    pub base: Option<String>,
    /// Values of variables that the file takes from outside.
    pub variables: BTreeMap<String, String>,
    /// Where the file's relative paths begin.
    pub root: PathBuf,
}

/// The scenario of a Hurl file, named `name`.
///
/// # Errors
/// The first place that is no Hurl.
pub fn hurl(source: &Source, name: &str, options: &HurlOptions) -> Result<Imported, Diagnostic> {
    let entries = parse::entries(source)?;
    Ok(convert::scenario(source, name, &entries, options))
}

#[cfg(test)]
mod tests {
    use located::Source;

    use super::{HurlOptions, hurl};

    fn imported(text: &str) -> crate::import::Imported {
        hurl(&Source::new("shop.hurl", text), "shop", &HurlOptions::default()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn wrong(text: &str) -> String {
        hurl(&Source::new("shop.hurl", text), "shop", &HurlOptions::default()).unwrap_err().to_string()
    }

    #[test]
    fn a_file_becomes_a_readable_scenario() {
        let imported = imported(
            r#"# Buys a thing.
POST http://localhost:8080/orders?fast=1
X-Key: {{key}}   # the caller's
Accept: a
Accept: b
[Options]
retry: 3
retry-interval: 200ms
delay: 1s
[Cookies]
theme: dark
{ "item": "mug {{size}}", "id": "{{newUuid}}", "n": {{count}}, "s": "{{count}}", "tags": ["a", "{% x %}"] }
HTTP/1.1 201
Content-Type: application/json
[Captures]
order: jsonpath "$.id"
token: header "X-Token" regex /t=(\w+)/ redact
[Asserts]
jsonpath "$.items" count == 2
jsonpath "$.name" not startsWith "x"
cookie "session[Secure]" exists
body contains "\u{7b}\u{7b}"
sha256 == hex,aabb;
status < 300

GET http://localhost:8080/orders/{{order}}
HTTP 200
`ok`
"#,
        );
        insta::assert_snapshot!(imported.files[0].text);
        assert_eq!(imported.todos(), 3, "{:?}", imported.notes);
    }

    #[test]
    fn every_kind_of_body_is_read() {
        let imported = imported(
            "POST http://a/1\n```json\n{\"a\": 1}\n```\nPOST http://a/2\n```graphql\nquery Q { a }\nvariables { \"x\": {{n}} }\n```\n\
             POST http://a/3\n<a x=\"1>2\"><!-- > --><b/></a>\nPOST http://a/4\nbase64,aGk=;\nPOST http://a/5\nhex, 6869;\nPOST http://a/6\n\
             `one {{n}}`\nPOST http://a/7\n```raw\n{{n}}\n```\nPOST http://a/8\n[Multipart]\nf: file,a.png;\ng: x\n\
             POST http://a/9\n[1, -2.5e3, \"\\u00e9\\ud83d\\ude00\", null, true]\nHTTP 200\n```\ntwo\nlines\n```\n",
        );
        insta::assert_snapshot!(imported.files[0].text);
    }

    #[test]
    fn mistakes_are_shown_with_their_place() {
        insta::assert_snapshot!(
            [
                wrong("GET\n"),
                wrong("GET http://a\n[Query]\na: 1\n[Query]\n"),
                wrong("GET http://a\n[Asserts]\n"),
                wrong("GET http://a\nHTTP 200\n[Asserts]\nstatuss == 200\n"),
                wrong("GET http://a\nHTTP 200\n[Asserts]\nstatus = 200\n"),
                wrong("GET http://a\nHTTP 200\n[Asserts]\nbody matches /a(/\n"),
                wrong("GET http://a\n[Options]\nmax_redirs: 3\n"),
                wrong("GET http://a\n[Options]\ndelay: 3y\n"),
                wrong("POST http://a\n{ \"a\": 1\n"),
                wrong("POST http://a\n```\nabc\n"),
                wrong("GET http://a/\\q\n"),
                wrong("GET http://a\nHTTP 2x\n"),
            ]
            .join("\n\n")
        );
    }

    #[test]
    fn the_date_of_now_is_the_date_of_the_trial() {
        let imported = imported("GET http://a/?d={{newDate}}\nHTTP 200\n");
        assert!(imported.files[0].text.contains("{{ now('+0s', '%Y-%m-%dT%H:%M:%S%.6fZ') }}"), "{:?}", imported.files);
        assert_eq!(imported.todos(), 0, "{:?}", imported.notes);
    }

    #[test]
    fn what_has_no_counterpart_is_told() {
        let imported = imported("GET http://a/\n[Options]\naws-sigv4: aws:amz\nverbose: true\nntlm: false\nHTTP 200\n");
        let notes: Vec<_> = imported.notes.iter().map(ToString::to_string).collect();
        assert_eq!(notes.len(), 2);
        assert!(notes[0].starts_with("todo: shop.hurl:3:1: `aws-sigv4`: requests are not signed for AWS"), "{notes:?}");
        assert!(notes[1].starts_with("left out: shop.hurl:4:1: `verbose` changes nothing of the verdict"), "{notes:?}");
        assert!(imported.files[0].text.contains("# TODO `aws-sigv4`"), "{}", imported.files[0].text);
    }

    #[test]
    fn the_usual_origin_is_the_subject() {
        let imported = imported(
            "GET {{host}}/a\nGET http://other/b\nGET {{host}}:80/c\nGET {{host}}\nGET {{host}}?x=1\nHTTP 200\n",
        );
        let text = &imported.files[0].text;
        for line in [
            "get: /a",
            "get: http://other/b",
            "get: \"{{ host }}:80/c\"",
            "get: / }",
            "get: /?x=1 }",
            "stands for {{host}}",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert_eq!(imported.todos(), 3, "two other origins, and the host of one of them: {:?}", imported.notes);
    }
}
