use serde::de::DeserializeOwned;
use serde_saphyr::{Error, MessageFormatter, UserMessageFormatter, budget, budget::BudgetBreach, options};

use crate::{Diagnostics, Place, Source, nearest};

/// Larger documents are refused before they are parsed.
pub const DOCUMENT_BYTES_MAX: usize = 4 * 1024 * 1024; // no hand-written file comes near it

const EVENTS_MAX: usize = 50_000; // a few thousand lines; an alias counts as often as it is used
const DEPTH_MAX: usize = 64; // readers recurse

/// Reads one YAML document into `T`.
///
/// Strict where YAML surprises: booleans are `true` and `false` only, a key stands once, aliases and nesting are
/// bounded (50,000 events, depth 64), one document a file.
///
/// # Errors
/// One diagnostic at the first place that does not fit `T`. Use [`crate::Spanned`] fields for checks after parsing.
pub fn yaml<T: DeserializeOwned>(source: &Source) -> Result<T, Diagnostics> {
    parse(source, source.text())
}

/// Parses `text`, a prefix of the source (so that places agree with it).
pub(crate) fn parse<T: DeserializeOwned>(source: &Source, text: &str) -> Result<T, Diagnostics> {
    if text.len() > DOCUMENT_BYTES_MAX {
        let message = format!("the document has {} bytes; at most {DOCUMENT_BYTES_MAX} are read", text.len());
        return Err(source.diagnostic(Place::START, message).into());
    }
    let options = options! {
        strict_booleans: true,
        // Events are counted as aliases are used, so the number of aliases says nothing more.
        budget: budget! {
            max_events: EVENTS_MAX, max_depth: DEPTH_MAX, max_documents: 1, enforce_alias_anchor_ratio: false,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let error = error.without_snippet();
        let place = error.location().map_or(Place::START, Place::from);
        let diagnostic = match misspelt(error) {
            Some((message, near)) => source.diagnostic(place, message).hint(format!("did you mean `{near}`?")),
            None => source.diagnostic(place, message(error)),
        };
        diagnostic.into()
    })
}

/// An unknown name with the one that it was most likely meant to be. Then nobody needs the list of all names.
fn misspelt(error: &Error) -> Option<(String, &'static str)> {
    let (what, name, expected) = match error {
        Error::SerdeUnknownField { field, expected, .. } => ("field", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => ("name", variant, expected),
        _ => return None,
    };
    let near = nearest(name, expected.iter().copied())?;
    Some((format!("unknown {what} `{name}`"), near))
}

/// What the reader says, in words for people who write the file instead of the program that reads it.
fn message(error: &Error) -> String {
    match error {
        // What an alias stands for is wrong where it is used.
        Error::AliasError { error, .. } => message(error),
        Error::Eof { .. } => "the file ends here, and what it should hold is missing".to_owned(),
        Error::Budget { breach, .. } => too_much(breach),
        Error::Unexpected { expected, .. } => {
            let what = match *expected {
                "mapping start" => "a mapping (`key: value`)",
                "sequence start" => "a list",
                "string scalar" => "a text",
                other => other,
            };
            format!("expected {what} here")
        }
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` stands twice"),
        Error::DuplicateMappingKey { key: None, .. } => "a key stands twice".to_owned(),
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an alias refers to what it stands in".to_owned(),
        Error::NonFiniteFloat { value, .. } => format!("`{value}` is no number that JSON can hold"),
        _ => UserMessageFormatter.format_message(error).into_owned(),
    }
}

fn too_much(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Events { .. } => {
            format!(
                "up to here the document has more than {EVENTS_MAX} parts, where an alias counts as all that it stands for"
            )
        }
        BudgetBreach::Depth { .. } => format!("this nests deeper than {DEPTH_MAX} levels"),
        BudgetBreach::Documents { .. } => {
            "a second document starts here; one file holds one document, so remove the `---`".to_owned()
        }
        other => format!("the document is too large or too complex: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::{Source, Spanned, yaml};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shop {
        #[expect(dead_code, reason = "only its presence matters")]
        name: String,
        port: Spanned<u16>,
    }

    fn error(text: &str) -> String {
        yaml::<Shop>(&Source::new("shop.yaml", text)).expect_err("the document is wrong").to_string()
    }

    #[test]
    fn unknown_field_is_named_at_its_place() {
        insta::assert_snapshot!(error("name: a\nprot: 80\n"), @r"
        shop.yaml:2:1: unknown field `prot`
           |
         2 | prot: 80
           | ^^^^
          hint: did you mean `port`?
        ");
    }

    #[test]
    fn wrong_type_is_named_at_its_place() {
        insta::assert_snapshot!(error("name: a\nport: soon\n"), @r"
        shop.yaml:2:7: invalid u16
           |
         2 | port: soon
           |       ^^^^
        ");
    }

    #[test]
    fn alias_bomb_and_deep_nesting_are_refused_quickly() {
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                    d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
        let error = yaml::<serde_json::Value>(&Source::new("bomb.yaml", bomb)).expect_err("a bomb").to_string();
        assert!(
            error.starts_with("bomb.yaml:5:") && error.contains("an alias counts as all that it stands for"),
            "{error}"
        );
        assert!(yaml::<serde_json::Value>(&Source::new("deep.yaml", "[".repeat(20_000))).is_err());
    }

    #[test]
    fn what_is_wrong_is_said_in_the_words_of_the_file() {
        let deep = format!("name: {}{}", "[".repeat(100), "]".repeat(100));
        for (text, words) in [
            ("", "the file ends here"),
            ("- a\n", "expected a mapping (`key: value`) here"),
            ("name: [a]\nport: 1\n", "expected a text here"),
            ("name: a\nname: b\n", "the key `name` stands twice"),
            ("name: a\nport: 1\n---\nname: b\n", "one file holds one document"),
        ] {
            let error = error(text);
            assert!(error.contains(words), "{text:?}: {error}");
        }
        let any = |text: &str| yaml::<serde_json::Value>(&Source::new("a.yaml", text)).expect_err("wrong").to_string();
        assert!(any("a: &a [*a]").contains("an alias refers to what it stands in"), "{}", any("a: &a [*a]"));
        assert!(any("a: .nan").contains("`.nan` is no number"), "{}", any("a: .nan"));
        assert!(any(&deep).contains("nests deeper than 64 levels"), "{}", any(&deep));
    }

    #[test]
    fn a_spanned_value_gives_a_semantic_error_its_place() {
        let source = Source::new("shop.yaml", "name: a\nport: 80\n");
        let shop: Shop = yaml(&source).expect("fits");
        insta::assert_snapshot!(source.at(&shop.port, "ports below 1024 need root").hint("use 8080"), @r"
        shop.yaml:2:7: ports below 1024 need root
           |
         2 | port: 80
           |       ^^
          hint: use 8080
        ");
    }
}
