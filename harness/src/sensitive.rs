//! What is a secret by its name or by its shape: the one list of it, for headers, query keys, form and JSON fields.
//!
//! Errs on the side of hiding: a field too many costs a variable, one too few a credential. Values that somebody said to
//! be secret are another matter: `step::secrets`. Start at [`is_secret`].

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value as Json;

/// In a name that is read without its separators: `x-auth-token`, `clientSecret`, `APIKEY`.
const STEMS: [&str; 18] = [
    "accesskey",
    "apikey",
    "assertion",
    "authoriz",
    "bearer",
    "cookie",
    "credential",
    "csrf",
    "jwt",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "signature",
    "token",
    "xsrf",
];

/// Too short to be looked for inside of other words: `author` is no `auth`, `spinner` no `pin`.
const WORDS: [&str; 14] =
    ["auth", "cvc", "cvv", "key", "mfa", "otp", "pass", "pin", "pwd", "session", "sessionid", "sid", "sig", "totp"];

/// Before `key`: a name for something, not what opens it.
const NAMING_KEYS: [&str; 8] =
    ["cache", "foreign", "idempotency", "partition", "primary", "public", "publishable", "sort"];

/// Last words of names that tell something about a secret: `token_type`, `expires_in`, `password_length`.
const ABOUT: [&str; 12] =
    ["alg", "algorithm", "at", "count", "endpoint", "expires", "expiry", "in", "length", "limit", "ttl", "type"];

/// A number of these is how many there are: `max_tokens`.
const COUNTED: [&str; 4] = ["credentials", "keys", "sessions", "tokens"];

/// What is a credential wherever it stands.
static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
    let shapes = [
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.", // a JWT
        r"\b(?:sk|rk|pk|whsec|gh[opsru]|github_pat|glpat|xox[abeoprs]|xapp)[-_][A-Za-z0-9_-]{8,}",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{30,}|\bSG\.[A-Za-z0-9_-]{8,}\.",
        r"\b(?i:bearer|basic)\s+[A-Za-z0-9._~+/-]{8,}",
        r"://[^/\s:@]*:[^/\s@]+@", // a URL with a password
    ];
    Regex::new(&shapes.join("|")).expect("literal patterns")
});

/// A name and the beginning of what it is set to. `$name` is a parameter of GraphQL, not its value.
static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"(?:^|[^$A-Za-z0-9_-])([A-Za-z0-9_-]{1,64})["'\\]{0,2}\s{0,4}[:=>]\s{0,4}[^\s$<]"#;
    Regex::new(pattern).expect("a literal pattern")
});

static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new("[A-Za-z0-9_-]+").expect("a literal pattern"));

/// Whether the value under this name is a secret, or holds one. What is true, false or null tells nothing.
pub(crate) fn is_secret(name: &str, value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(_) => false,
        Json::Number(_) => is_secret_name(name) && !is_count(name),
        Json::String(text) => !text.is_empty() && (is_secret_name(name) || looks_secret(text)),
        Json::Array(_) | Json::Object(_) => is_secret_name(name),
    }
}

/// Whether a header, parameter or field of this name holds a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let is_about = words.len() > 1 && words.last().is_some_and(|last| ABOUT.contains(&last.as_str()));
    if is_about {
        return false;
    }
    let joined = words.concat();
    STEMS.iter().any(|stem| joined.contains(stem)) || (0..words.len()).any(|at| is_secret_word(&words, at))
}

/// Whether a text has the shape of a credential, or gives one to a name: `{"q": "login(password: \"x\")"}`.
pub(crate) fn looks_secret(text: &str) -> bool {
    SHAPE.is_match(text) || ASSIGNMENT.captures_iter(text).any(|found| is_secret_name(&found[1]))
}

/// Whether a text of no known structure speaks of a secret at all.
pub(crate) fn mentions_secret(text: &str) -> bool {
    SHAPE.is_match(text) || NAME.find_iter(text).any(|name| is_secret_name(name.as_str()))
}

fn is_secret_word(words: &[String], at: usize) -> bool {
    let word = words[at].as_str();
    let singular = word.strip_suffix('s').unwrap_or(word);
    let names_something = at > 0 && NAMING_KEYS.contains(&words[at - 1].as_str());
    match singular {
        "key" => !names_something,
        _ => WORDS.contains(&word) || WORDS.contains(&singular),
    }
}

fn is_count(name: &str) -> bool {
    words(name).last().is_some_and(|last| COUNTED.contains(&last.as_str()))
}

/// `X-Api-Key`, `apiKey` and `APIKey` are `api`, `key`.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| letters[before]);
        let starts_word = letter.is_uppercase()
            && (before.is_some_and(char::is_lowercase)
                || before.is_some_and(char::is_uppercase) && letters.get(at + 1).is_some_and(|c| c.is_lowercase()));
        if starts_word || !letter.is_alphanumeric() {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().expect("it starts with one").extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{is_secret, is_secret_name, looks_secret, mentions_secret};

    #[test]
    fn names_of_secrets_are_known_however_they_are_written() {
        for name in [
            "authorization",
            "x-auth-token",
            "X-CSRF-Token",
            "api_key",
            "apiKey",
            "APIKey",
            "apikey",
            "key",
            "passwd",
            "userPassword",
            "pwd",
            "pin",
            "otp",
            "client_secret",
            "refresh_token",
            "accesstoken",
            "session",
            "sessionId",
            "sid",
            "card[cvc]",
            "auth",
            "x-goog-signature",
            "credentials",
            "cookies",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "author",
            "spinner",
            "monkey",
            "keyboard",
            "idempotency-key",
            "public_key",
            "sort_keys",
            "token_type",
            "expires_in",
            "passenger",
            "design",
            "content-type",
            "x-request-id",
            "",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn a_count_or_a_flag_is_no_secret_and_a_number_is() {
        assert!(is_secret("pin", &json!(4711)) && is_secret("tokens", &json!(["a"])));
        for (name, value) in [("max_tokens", json!(512)), ("password", json!(true)), ("token", json!(null))] {
            assert!(!is_secret(name, &value), "{name}: {value}");
        }
    }

    #[test]
    fn credentials_are_known_by_their_shape_and_where_they_are_assigned() {
        for text in [
            "sk_live_9f8e7d6c5b4a39",
            "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
            "-----BEGIN RSA PRIVATE KEY-----",
            "postgres://ann:pw@host/db",
            "Bearer abcdefgh",
            r#"mutation { login(user: "ann", password: "pw") }"#,
            "<password>pw</password>",
            "https://x/?api_key=1",
            r#"{"token":"a"}"#,
        ] {
            assert!(looks_secret(text), "{text}");
        }
        for text in [
            "mutation($password: String!) { login(password: $password) { name } }",
            "a basic mug",
            "https://example.com:8080/a@b",
            "forgot your password?",
            "re-scheduled-orders",
        ] {
            assert!(!looks_secret(text), "{text}");
        }
        assert!(mentions_secret("forgot your password?") && !mentions_secret("Content-Disposition: form-data"));
    }
}
