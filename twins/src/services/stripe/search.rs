//! Stripe's search language: `status:"active" AND metadata["order"]:"7" AND -amount<100`. Clauses are joined by AND or
//! by OR, never both; results come in pages that an opaque token continues. Found at once: the service says "in less
//! than a minute".

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{Stripe, call::Call, call::Made, errors::StripeError, lists, resource::Resource};
use crate::json::{Value, json};

const CLAUSES_MAX: usize = 10; // the service's own limit

struct Query {
    clauses: Vec<Clause>,
    any: bool,
}

#[derive(Debug, PartialEq)]
struct Clause {
    negated: bool,
    field: String,
    /// The key of `metadata["key"]`.
    key: Option<String>,
    sign: Sign,
    /// None: `null`.
    value: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Is,
    Contains,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

const SIGNS: [(&str, Sign); 6] = [
    (">=", Sign::GreaterOrEqual),
    ("<=", Sign::LessOrEqual),
    (":", Sign::Is),
    ("~", Sign::Contains),
    (">", Sign::Greater),
    ("<", Sign::Less),
];

impl Stripe {
    pub(super) fn search(&mut self, call: &mut Call<'_, '_, '_>, resource: Resource) -> Made {
        let text = call.text("query").unwrap_or_default();
        let query = Query::parse(text).map_err(|why| StripeError::invalid(why).param("query"))?;
        query.check(resource)?;
        let start = offset(call.text("page"))?;
        let limit = lists::limit(call.parameters())?;
        let found: Vec<_> = self.books.newest_first(resource).filter(|row| query.fits(row)).collect();
        let data: Vec<_> = found.iter().skip(start).take(limit).map(|row| self.shown(resource, row)).collect();
        let end = start + data.len();
        let next = (end < found.len()).then(|| BASE64_URL_SAFE_NO_PAD.encode(end.to_string()));
        Ok(json!({"object": "search_result", "data": data, "has_more": next.is_some(), "next_page": next,
            "url": call.request.path}))
    }
}

fn offset(page: Option<&str>) -> Result<usize, StripeError> {
    let Some(page) = page else { return Ok(0) };
    let text = BASE64_URL_SAFE_NO_PAD.decode(page).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| StripeError::invalid(format!("Invalid page token: {page}")).param("page"))
}

impl Query {
    fn parse(text: &str) -> Result<Self, String> {
        let mut clauses = Vec::new();
        let (mut ands, mut ors) = (false, false);
        let mut rest = text.trim();
        while !rest.is_empty() {
            if !clauses.is_empty() {
                let and = rest.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("and "));
                let or = rest.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("or "));
                rest = if and {
                    &rest[4..]
                } else if or {
                    &rest[3..]
                } else {
                    rest
                }
                .trim_start();
                (ands, ors) = (ands || !or, ors || or);
            }
            let (clause, after) = Clause::parse(rest).ok_or_else(|| malformed(rest))?;
            clauses.push(clause);
            rest = after.trim_start();
        }
        match clauses.len() {
            0 => Err("Missing required param: query.".to_owned()),
            1..=CLAUSES_MAX if !(ands && ors) => Ok(Self { clauses, any: ors }),
            1..=CLAUSES_MAX => Err("You can not combine AND and OR in the same query.".to_owned()),
            _ => Err(format!("You can use at most {CLAUSES_MAX} clauses in a query.")),
        }
    }

    fn check(&self, resource: Resource) -> Result<(), StripeError> {
        let blank = resource.blank();
        let unknown = self.clauses.iter().find(|clause| blank.get(&clause.field).is_none());
        unknown.map_or(Ok(()), |clause| {
            let (field, noun) = (&clause.field, resource.traits().table);
            let text = format!("Field `{field}` is an unsupported search field for resource `{noun}`.");
            Err(StripeError::invalid(text).param("query"))
        })
    }

    fn fits(&self, row: &Value) -> bool {
        if self.any {
            self.clauses.iter().any(|clause| clause.fits(row))
        } else {
            self.clauses.iter().all(|clause| clause.fits(row))
        }
    }
}

fn malformed(rest: &str) -> String {
    format!(
        "We were unable to parse your search query at `{rest}`. Try using the format `metadata[\"key\"]:\"value\"` to query for metadata or key:\"value\" to query for other fields."
    )
}

impl Clause {
    /// The clause at the beginning of `text`, and what follows it.
    fn parse(text: &str) -> Option<(Self, &str)> {
        let (negated, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
        let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '.')?;
        let (field, rest) = text.split_at(end);
        let (key, rest) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (key, rest) = quoted(rest)?;
                (Some(key), rest.strip_prefix(']')?)
            }
            None => (None, rest),
        };
        let (sign, rest) = SIGNS.iter().find_map(|(text, sign)| Some((*sign, rest.strip_prefix(text)?)))?;
        let (value, rest) = value(rest)?;
        let clause = Self { negated, field: field.to_owned(), key, sign, value };
        (!clause.field.is_empty()).then_some((clause, rest))
    }

    fn fits(&self, row: &Value) -> bool {
        let found = match &self.key {
            Some(key) => &row[&self.field][key],
            None => &row[&self.field],
        };
        self.holds(found) != self.negated
    }

    fn holds(&self, found: &Value) -> bool {
        let Some(wanted) = &self.value else { return found.is_null() };
        let text = found.as_str().map_or_else(|| found.to_string(), str::to_owned).to_lowercase();
        let number = || Some((found.as_i64()?, wanted.parse::<i64>().ok()?));
        match self.sign {
            Sign::Is => !found.is_null() && text == wanted.to_lowercase(),
            Sign::Contains => !found.is_null() && text.contains(&wanted.to_lowercase()),
            Sign::Less => number().is_some_and(|(found, wanted)| found < wanted),
            Sign::LessOrEqual => number().is_some_and(|(found, wanted)| found <= wanted),
            Sign::Greater => number().is_some_and(|(found, wanted)| found > wanted),
            Sign::GreaterOrEqual => number().is_some_and(|(found, wanted)| found >= wanted),
        }
    }
}

/// A text in double or single quotes, in which a backslash keeps the next letter.
fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|letter| matches!(letter, '"' | '\''))?;
    let mut read = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((place, letter)) = letters.next() {
        match letter {
            '\\' => read.push(letters.next()?.1),
            letter if letter == quote => return Some((read, &text[place + 1..])),
            letter => read.push(letter),
        }
    }
    None
}

fn value(text: &str) -> Option<(Option<String>, &str)> {
    if let Some((read, rest)) = quoted(text) {
        return Some((Some(read), rest));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    match word {
        word if word.is_empty() || word.contains(['"', '\'']) => None,
        "null" | "NULL" => Some((None, rest)),
        word => Some((Some(word.to_owned()), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(query: &str) -> bool {
        let row = json!({"status": "succeeded", "amount": 2400, "email": "Ann@example.com", "name": null,
            "metadata": {"order no": "7\"8"}});
        Query::parse(query).is_ok_and(|query| query.fits(&row))
    }

    #[test]
    fn clauses_are_read_as_the_service_reads_them() {
        for query in [
            "status:'succeeded'",
            "status:\"succeeded\" AND amount>2000",
            "amount<=2400 amount>=2400",
            "email~\"ann@\"",
            "metadata['order no']:'7\"8'",
            "metadata[\"order no\"]:\"7\\\"8\"",
            "name:null",
            "-status:\"canceled\"",
            "status:\"canceled\" OR amount:2400",
        ] {
            assert!(found(query), "{query}");
        }
        assert!(!found("status:'canceled'") && !found("-name:null") && !found("amount>2400"));
    }

    #[test]
    fn what_is_no_query_is_refused() {
        for query in ["", "status", "status:", "status:\"a", "a:1 AND b:2 OR c:3", ":1", "metadata[x]:1"] {
            assert!(Query::parse(query).is_err(), "{query}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = Query::parse(&text).is_ok();
        }
    }
}
