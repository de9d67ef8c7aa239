//! What templates can call: the time, encodings, digests and signatures, files beside the scenario.

use std::path::{Component, Path, PathBuf};

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{Timestamp, tz::TimeZone};
use minijinja::{Environment, Error, ErrorKind, State, Value, value::Serde};
use sha2::{Digest as _, Sha256, Sha512};

use super::{
    Period,
    bounded::{Meter, Weight},
    operations::add_filter,
};

/// Functions that every template can call.
pub(crate) const FUNCTIONS: [&str; 4] = ["dict", "file", "now", "range"];

const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024; // as much as a request's body in a file of its own

pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_function("now", now);
    add_filter(environment, "b64encode", Value::from_function(|text: &str| BASE64_STANDARD.encode(text)));
    add_filter(environment, "b64decode", Value::from_function(decode));
    add_filter(environment, "b64url", Value::from_function(|text: &str| BASE64_URL_SAFE_NO_PAD.encode(text)));
    add_filter(environment, "urlencode", Value::from_function(encode_url));
    add_filter(environment, "sha256", Value::from_function(|text: &str| hex::encode(Sha256::digest(text))));
    add_filter(environment, "sha512", Value::from_function(|text: &str| hex::encode(Sha512::digest(text))));
    add_filter(environment, "hmac_sha256", Value::from_function(|text: &str, key: &str| hex::encode(sign(text, key))));
    add_filter(
        environment,
        "hmac_sha256_b64",
        Value::from_function(|text: &str, key: &str| BASE64_STANDARD.encode(sign(text, key))),
    );
    add_filter(environment, "fromjson", Value::from_function(parse));
    // As it is sent in a body, so that a signature over it is right.
    add_filter(environment, "tojson", Value::from_function(json));
    add_filter(
        environment,
        "date",
        Value::from_function(|instant: &str, format: &str| shown(instant_of(instant)?, format)),
    );
    add_filter(
        environment,
        "epoch",
        Value::from_function(|instant: &str| instant_of(instant).map(Timestamp::as_second)),
    );
}

/// `file('path')` of the files below `folder`.
pub(super) fn file_of(folder: PathBuf) -> Value {
    Value::from_function(move |state: &mut State, path: String| {
        let text = read(&folder, &path).map_err(invalid)?;
        Meter::of(state).make(Weight { parts: 1, bytes: text.len() }).map(|()| text)
    })
}

fn read(folder: &Path, path: &str) -> Result<String, String> {
    let written = Path::new(path);
    let stays = written.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let outside = || format!("`{path}` is not below the folder of this file");
    if !stays {
        return Err(outside());
    }
    let refused = |error: std::io::Error| format!("cannot read `{path}`: {error}");
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let root = folder.canonicalize().map_err(refused)?;
    // A link could lead anywhere.
    let target = root.join(written).canonicalize().map_err(refused)?;
    if !target.starts_with(&root) {
        return Err(outside());
    }
    let size = crate::named_file::length(&target).map_err(refused)?;
    if size > FILE_BYTES_MAX {
        return Err(format!("`{path}` has {size} bytes; at most {FILE_BYTES_MAX} are read"));
    }
    std::fs::read_to_string(&target).map_err(refused)
}

/// `now()`, `now('+2d')`, `now('-90m', '%Y-%m-%d')`; in UTC.
fn now(offset: Option<&str>, format: Option<&str>) -> Result<String, Error> {
    let mut instant = Timestamp::now();
    if let Some(offset) = offset {
        let period = |text: &str| text.parse::<Period>().map(|period| period.0).map_err(invalid);
        let moved = match offset.strip_prefix('-') {
            Some(back) => instant.checked_sub(period(back)?),
            None => instant.checked_add(period(offset.trim_start_matches('+'))?),
        };
        instant = moved.map_err(|error| invalid(error.to_string()))?;
    }
    shown(instant, format.unwrap_or("%Y-%m-%dT%H:%M:%SZ"))
}

fn shown(instant: Timestamp, format: &str) -> Result<String, Error> {
    jiff::fmt::strtime::format(format, &instant.to_zoned(TimeZone::UTC)).map_err(|error| invalid(error.to_string()))
}

fn instant_of(text: &str) -> Result<Timestamp, Error> {
    text.parse().map_err(|_| invalid(format!("`{text}` is no instant; write one like 2026-01-31T12:00:00Z")))
}

fn sign(text: &str, key: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn decode(text: &str) -> Result<String, Error> {
    let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|error| invalid(format!("no Base64: {error}")))?;
    String::from_utf8(bytes).map_err(|_| invalid("the decoded bytes are no UTF-8 text".to_owned()))
}

fn encode_url(text: &str) -> String {
    const SAFE: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encoding::utf8_percent_encode(text, SAFE).to_string()
}

fn parse(text: &str) -> Result<Value, Error> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| invalid(format!("no JSON: {error}")))?;
    Ok(Value::from(Serde(value)))
}

fn json(value: &Value) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| invalid(error.to_string()))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

#[cfg(test)]
mod tests {
    use located::{Place, Source};
    use serde_json::json;

    use crate::text::{Node, Scope};

    fn filled(yaml: &str, scope: &Scope) -> Result<serde_json::Value, String> {
        scope.node(&located::yaml::<Node>(&Source::new("a.yaml", yaml)).unwrap()).map_err(|error| {
            assert_eq!(error.place, Place { line: 1, ..error.place });
            error.message
        })
    }

    /// Known answers: RFC 4231 case 2 for HMAC, FIPS 180-4 for SHA-256 of `abc`.
    #[test]
    fn encodings_and_digests_have_their_known_answers() {
        let mut scope = Scope::default();
        scope.set_json("list", &json!([3, 1, 2]));
        for (expression, answer) in [
            (
                "'what do ya want for nothing?' | hmac_sha256('Jefe')",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                "'what do ya want for nothing?' | hmac_sha256_b64('Jefe')",
                "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=",
            ),
            ("'abc' | sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            ("('abc' | sha512)[:16]", "ddaf35a193617aba"),
            ("'a b/ä~' | urlencode", "a%20b%2F%C3%A4~"),
            ("'hé>?' | b64encode", "aMOpPj8="),
            ("'hé>?' | b64url", "aMOpPj8"),
            ("'aMOpPj8=' | b64decode", "hé>?"),
            ("list | sort | join('-')", "1-2-3"),
            ("list | tojson", "[3,1,2]"),
            ("('{\"a\":[1]}' | fromjson).a[0] + 1", "2"),
            ("'2026-01-31T12:00:00Z' | date('%d.%m.%y')", "31.01.26"),
            ("'2026-01-31T12:00:00Z' | epoch", "1769860800"),
        ] {
            let yaml = format!("{:?}", format!("{{{{ {expression} }}}}"));
            let got = filled(&yaml, &scope).unwrap();
            assert_eq!(got.as_str().map_or_else(|| got.to_string(), str::to_owned), answer, "{expression}");
        }
        for (expression, words) in [
            ("'a' | b64decode", "no Base64"),
            ("'a' | fromjson", "no JSON"),
            ("'today' | epoch", "is no instant"),
            ("now('soon')", "no length of time"),
        ] {
            let error = filled(&format!("{:?}", format!("{{{{ {expression} }}}}")), &scope).unwrap_err();
            assert!(error.contains(words), "{expression}: {error}");
        }
    }

    #[test]
    fn now_can_be_moved_and_formatted() {
        let got = filled("[\"{{ now('-1d') }}\", \"{{ now() }}\", \"{{ now('+1d', '%Y-%m-%dT%H:%M:%SZ') }}\", \"{{ now('0s', '%s') | int > 1700000000 }}\"]", &Scope::default()).unwrap();
        assert!(got[0].as_str() < got[1].as_str() && got[1].as_str() < got[2].as_str(), "{got}");
        assert_eq!(got[3], true);
    }

    #[test]
    fn files_are_read_below_the_folder_only() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("scenarios");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("order.json"), "{\"n\": 1}").unwrap();
        std::fs::write(dir.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink("../secret", folder.join("link")).unwrap();
        let mut scope = Scope::default();
        scope.stand_in(&folder);
        assert_eq!(filled("\"{{ file('./order.json') | fromjson }}\"", &scope).unwrap(), json!({"n": 1}));
        for (path, words) in [
            ("../secret", "is not below the folder"),
            ("link", "is not below the folder"),
            ("/etc/hostname", "is not below the folder"),
            ("none", "cannot read `none`"),
        ] {
            let error = filled(&format!("\"{{{{ file('{path}') }}}}\""), &scope).unwrap_err();
            assert!(error.contains(words), "{path}: {error}");
        }
    }
}
