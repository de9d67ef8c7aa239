//! Many paths, one operation: what stands for a row becomes a parameter.

use regex::Regex;

const HEX_CHARS_MIN: usize = 8;
const TOKEN_CHARS_MIN: usize = 8; // behind a prefix like `cus_`
const OPAQUE_CHARS_MIN: usize = 16; // without one
const OPAQUE_DIGITS_MIN: usize = 3;

/// Templates of paths that are known, for services whose ids look like words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folder {
    known: Vec<Template>,
}

#[derive(Clone, Debug)]
struct Template {
    written: String,
    pattern: Regex,
    /// More of them make it more special.
    literals: usize,
}

impl Folder {
    /// `/repos/{owner}/{repo}`; `{*rest}` at the end is all that is left.
    ///
    /// # Errors
    /// In words: no path.
    pub(crate) fn new<S: AsRef<str>>(templates: impl IntoIterator<Item = S>) -> Result<Self, String> {
        let known = templates.into_iter().map(|written| Template::new(written.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { known })
    }

    /// The template of a path: the most special one that is known, else the path without its ids.
    pub(crate) fn fold(&self, path: &str) -> String {
        let known = self.known.iter().filter(|template| template.pattern.is_match(path));
        match known.max_by_key(|template| template.literals) {
            Some(template) => template.written.clone(),
            None => without_ids(path),
        }
    }
}

impl Template {
    fn new(written: &str) -> Result<Self, String> {
        if !written.starts_with('/') {
            return Err(format!("`{written}` is no path; write it like /repos/{{owner}}/{{repo}}"));
        }
        let (mut pattern, mut literals) = ("^".to_owned(), 0);
        for segment in written.split('/').skip(1) {
            pattern.push('/');
            match segment.split_once('{') {
                None => {
                    pattern.push_str(&regex::escape(segment));
                    literals += 1;
                }
                Some((_, name)) if name.starts_with('*') => pattern.push_str(".*"),
                Some((before, name)) => {
                    let (_, after) = name.split_once('}').unwrap_or_default();
                    pattern.push_str(&format!("{}[^/]+{}", regex::escape(before), regex::escape(after)));
                }
            }
        }
        let pattern = Regex::new(&format!("{pattern}$")).map_err(|error| error.to_string())?;
        Ok(Self { written: written.to_owned(), pattern, literals })
    }
}

fn without_ids(path: &str) -> String {
    let mut ids = 0;
    let folded = path.split('/').map(|segment| {
        if !is_id(segment) {
            return segment.to_owned();
        }
        ids += 1;
        if ids == 1 { "{id}".to_owned() } else { format!("{{id_{ids}}}") }
    });
    folded.collect::<Vec<_>>().join("/")
}

/// The template with nameless parameters: two documents rarely call them alike.
pub(crate) fn unnamed(template: &str) -> String {
    let segment = |segment: &str| match (segment.find('{'), segment.rfind('}')) {
        (Some(from), Some(to)) if from < to => format!("{}{{}}{}", &segment[..from], &segment[to + 1..]),
        _ => segment.to_owned(),
    };
    template.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// Whether a text stands for one row of many, as far as one can tell from its letters.
pub(crate) fn is_id(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let all = |fits: fn(char) -> bool| text.chars().all(fits);
    if text.starts_with("redacted-") || text.contains('@') || text.contains("%40") {
        return true;
    }
    if digits == 0 || text.len() == digits + 1 && text.starts_with('v') {
        return false;
    }
    let is_number = all(|letter| letter.is_ascii_digit() || letter == '-' || letter == '.');
    let is_hex = text.len() >= HEX_CHARS_MIN && all(|letter| letter.is_ascii_hexdigit() || letter == '-');
    let is_code = text.len() >= TOKEN_CHARS_MIN && all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit());
    is_number || is_hex || is_code || is_token(text) || is_opaque(text, digits)
}

/// `cus_NffrFeUfNV2Hib`, `file-abc12345`.
fn is_token(text: &str) -> bool {
    let Some((prefix, token)) = text.rsplit_once(['_', '-']) else { return false };
    let is_prefix = prefix.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    let mixed = token.chars().any(|letter| letter.is_ascii_digit());
    is_prefix && mixed && token.len() >= TOKEN_CHARS_MIN && token.chars().all(|letter| letter.is_ascii_alphanumeric())
}

fn is_opaque(text: &str, digits: usize) -> bool {
    text.len() >= OPAQUE_CHARS_MIN
        && digits >= OPAQUE_DIGITS_MIN
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_=".contains(letter))
        && text.chars().any(|letter| letter.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_parameters_and_words_stay() {
        let fold = |path: &str| Folder::default().fold(path);
        assert_eq!(
            fold("/v1/customers/cus_NffrFeUfNV2Hib/sources/card_1N3T00LkdIwHu7ix"),
            "/v1/customers/{id}/sources/{id_2}"
        );
        assert_eq!(fold("/v1/payment_intents"), "/v1/payment_intents");
        assert_eq!(fold("/users/0b7e9a52-8f0e-4c8e-9d7c-1e6f1b1f0c11"), "/users/{id}");
        assert_eq!(fold("/orders/4711/items"), "/orders/{id}/items");
        assert_eq!(fold("/api/conversations/C012AB3CD"), "/api/conversations/{id}");
        assert_eq!(fold("/v2/oauth2/token"), "/v2/oauth2/token");
        assert_eq!(fold("/people/ada%40example.com"), "/people/{id}");
        assert_eq!(fold("/"), "/");
    }

    #[test]
    fn a_known_template_wins_and_the_most_special_of_them() {
        let folder = Folder::new(["/repos/{owner}/{repo}", "/repos/{owner}/issues", "/files/{*path}", "/a/{b}.git"])
            .expect("is fine");
        assert_eq!(folder.fold("/repos/octo/hello"), "/repos/{owner}/{repo}");
        assert_eq!(folder.fold("/repos/octo/issues"), "/repos/{owner}/issues");
        assert_eq!(folder.fold("/files/a/b/c"), "/files/{*path}");
        assert_eq!(folder.fold("/a/b.git"), "/a/{b}.git");
        assert!(Folder::new(["repos"]).is_err());
    }
}
