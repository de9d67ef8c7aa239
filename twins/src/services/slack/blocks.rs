//! Block Kit, as far as the service looks at blocks before it takes them.

use serde_json::Value;

use super::errors::Failure;

const BLOCKS_MAX: usize = 50; // in a message
const SECTION_CHARS_MAX: usize = 3_000;
const HEADER_CHARS_MAX: usize = 150;
const KNOWN: [&str; 15] = [
    "actions",
    "alert",
    "call",
    "context",
    "context_actions",
    "divider",
    "file",
    "header",
    "image",
    "input",
    "markdown",
    "rich_text",
    "section",
    "table",
    "video",
];

/// The blocks of a message, null where there are none.
pub(super) fn check(blocks: &Value) -> Result<(), Failure> {
    check_up_to(blocks, BLOCKS_MAX)
}

pub(super) fn check_up_to(blocks: &Value, most: usize) -> Result<(), Failure> {
    let blocks = match blocks {
        Value::Null => return Ok(()),
        Value::Array(blocks) => blocks,
        _ => return Err("invalid_blocks_format".into()),
    };
    if blocks.len() > most {
        return Err(refused(&format!("no more than {most} items allowed [json-pointer:/blocks]")));
    }
    blocks.iter().enumerate().try_for_each(|(number, block)| {
        check_block(block).map_err(|(why, at)| refused(&format!("{why} [json-pointer:/blocks/{number}{at}]")))
    })
}

fn refused(why: &str) -> Failure {
    Failure::new("invalid_blocks").explained(why).with("errors", vec![why])
}

/// Why not, and where in the block.
type Flaw = (String, &'static str);

fn check_block(block: &Value) -> Result<(), Flaw> {
    let Some(kind) = block["type"].as_str() else { return Err(("missing required field: type".to_owned(), "")) };
    match kind {
        "section" if block["text"].is_null() && block["fields"].as_array().is_none_or(Vec::is_empty) => {
            Err(("missing required field: text".to_owned(), ""))
        }
        "section" if block["text"].is_null() => Ok(()),
        "section" => check_text(&block["text"], &["mrkdwn", "plain_text"], SECTION_CHARS_MAX),
        "header" => check_text(&block["text"], &["plain_text"], HEADER_CHARS_MAX),
        "image" if block["image_url"].is_null() && block["slack_file"].is_null() => {
            Err(("missing required field: image_url".to_owned(), ""))
        }
        "image" if block["alt_text"].is_null() => Err(("missing required field: alt_text".to_owned(), "")),
        "actions" | "context" if block["elements"].as_array().is_none_or(Vec::is_empty) => {
            Err(("missing required field: elements".to_owned(), ""))
        }
        "input" if block["element"].is_null() => Err(("missing required field: element".to_owned(), "")),
        "input" => check_text(&block["label"], &["plain_text"], 2_000),
        kind if KNOWN.contains(&kind) => Ok(()),
        kind => Err((format!("unsupported type: {kind}"), "/type")),
    }
}

fn check_text(text: &Value, kinds: &[&str], chars_max: usize) -> Result<(), Flaw> {
    let at = "/text";
    let kind = text["type"].as_str().unwrap_or_default();
    if !kinds.contains(&kind) {
        return Err((format!("must provide an object of type {}", kinds.join(" or ")), at));
    }
    match text["text"].as_str().map(|text| text.chars().count()) {
        None => Err(("missing required field: text".to_owned(), at)),
        Some(0) => Err(("must be more than 0 characters".to_owned(), at)),
        Some(count) if count > chars_max => Err((format!("must be less than {} characters", chars_max + 1), at)),
        Some(_) => Ok(()),
    }
}
