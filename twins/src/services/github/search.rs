//! Search: words and the qualifiers that clients use. What is searched is what the caller may see.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::{
    GitHub,
    errors::invalid,
    links::{Links, paged_as},
    model::{Issue, Repo},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

/// A query: words and phrases, and `name:value` with an optional minus in front.
#[derive(Debug, Default, PartialEq, Eq)]
struct Query {
    words: Vec<String>,
    qualifiers: Vec<(bool, String, String)>,
}

impl Query {
    fn of(request: &Request) -> Result<Self, Reply> {
        let text = request.query["q"].as_str().unwrap_or_default().trim();
        if text.is_empty() { Err(invalid("Search", "q", "missing")) } else { Ok(Self::parse(text)) }
    }

    fn parse(text: &str) -> Self {
        let mut query = Self::default();
        for part in split(text) {
            let (wanted, plain) = part.strip_prefix('-').map_or((true, part.as_str()), |rest| (false, rest));
            match plain.split_once(':').filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_alphabetic())) {
                Some((name, value)) => {
                    query.qualifiers.push((wanted, name.to_lowercase(), value.replace('"', "").to_lowercase()));
                }
                None => query.words.push(part.replace('"', "").to_lowercase()),
            }
        }
        query
    }

    /// Whether each qualifier holds; one that the twin does not know holds never, so that it is not overlooked.
    fn holds(&self, fits: impl Fn(&str, &str) -> bool) -> bool {
        self.qualifiers.iter().all(|(wanted, name, value)| fits(name, value) == *wanted)
    }

    fn in_text(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.words.iter().all(|word| text.contains(word))
    }
}

/// At blanks outside quotes.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut quoted) = (vec![String::new()], false);
    for c in text.chars() {
        quoted ^= c == '"';
        match parts.last_mut() {
            Some(last) if quoted || !c.is_whitespace() => last.push(c),
            _ => parts.push(String::new()),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn found<R>(request: &Request, rows: Vec<R>, show: impl Fn(R) -> Value) -> Answer {
    Ok(paged_as(
        request,
        rows,
        show,
        |items, total| json!({"total_count": total, "incomplete_results": false, "items": items}),
    ))
}

impl GitHub {
    fn searched(&self, request: &Request) -> impl Iterator<Item = &Repo> {
        self.repos.oldest_first().filter(|repo| self.granted(repo, request).is_some())
    }

    pub(super) fn search_issues(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let query = Query::of(request)?;
        let all = self.searched(request).flat_map(|repo| repo.issues.oldest_first().map(move |issue| (repo, issue)));
        let fits = |(repo, issue): &(&Repo, &Issue)| {
            let text = format!("{} {}", issue.title, issue.body.as_deref().unwrap_or_default());
            query.in_text(&text) && query.holds(|name, value| self.issue_fits(request, repo, issue, name, value))
        };
        let mut rows: Vec<(&Repo, &Issue)> = all.filter(fits).collect();
        match request.query["sort"].as_str() {
            Some("updated") => rows.sort_by_key(|(_, issue)| Reverse((issue.updated_at, issue.id))),
            _ => rows.sort_by_key(|(_, issue)| Reverse((issue.created_at, issue.id))),
        }
        if request.query["order"].as_str() == Some("asc") {
            rows.reverse();
        }
        let links = Links::of(request);
        found(request, rows, |(repo, issue)| {
            let mut shown = self.issue_json(&links, repo, issue);
            shown["score"] = json!(1.0);
            shown
        })
    }

    fn issue_fits(&self, request: &Request, repo: &Repo, issue: &Issue, name: &str, value: &str) -> bool {
        let me = || self.token(request).map(|token| token.login.to_lowercase());
        let is =
            |login: &str| login.to_lowercase() == if value == "@me" { me().unwrap_or_default() } else { value.into() };
        match (name, value) {
            ("is" | "type", "issue") => issue.pull.is_none(),
            ("is" | "type", "pr") => issue.pull.is_some(),
            ("is" | "state", "open" | "closed") => issue.state() == value,
            ("is", "merged") => issue.pull.as_ref().is_some_and(|pull| pull.merged.is_some()),
            ("is", "unmerged") => issue.pull.as_ref().is_some_and(|pull| pull.merged.is_none()),
            ("is", "draft") => issue.pull.as_ref().is_some_and(|pull| pull.draft),
            ("is", "public") => !repo.private,
            ("is", "private") => repo.private,
            ("repo", _) => repo.key() == value,
            ("user" | "org", _) => is(&repo.owner),
            ("author", _) => is(&issue.author),
            ("assignee", _) => issue.assignees.iter().any(|login| is(login)),
            ("label", _) => issue.labels.iter().any(|label| value.split(',').any(|it| label.to_lowercase() == it)),
            ("milestone", _) => {
                let milestone = issue.milestone.and_then(|number| repo.milestones.get(&number.to_string()));
                milestone.is_some_and(|milestone| milestone.title.to_lowercase() == value)
            }
            ("no", "label") => issue.labels.is_empty(),
            ("no", "assignee") => issue.assignees.is_empty(),
            ("no", "milestone") => issue.milestone.is_none(),
            ("head", _) => issue.pull.as_ref().is_some_and(|pull| pull.head.to_lowercase() == value),
            ("base", _) => issue.pull.as_ref().is_some_and(|pull| pull.base.to_lowercase() == value),
            ("in", _) => true,
            _ => false,
        }
    }

    pub(super) fn search_repos(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let query = Query::of(request)?;
        let fits = |repo: &&Repo| {
            let text = format!("{} {}", repo.full_name(), repo.description.as_deref().unwrap_or_default());
            query.in_text(&text)
                && query.holds(|name, value| match (name, value) {
                    ("user" | "org", owner) => repo.owner.to_lowercase() == owner,
                    ("repo", full_name) => repo.key() == full_name,
                    ("topic", topic) => repo.topics.iter().any(|known| known == topic),
                    ("is", "public") => !repo.private,
                    ("is", "private") => repo.private,
                    ("archived", flag) => repo.archived == (flag == "true"),
                    ("fork", flag) => flag == "true" || repo.parent.is_some() == (flag == "only"),
                    ("in", _) => true,
                    _ => false,
                })
        };
        let links = Links::of(request);
        found(request, self.searched(request).filter(fits).collect(), |repo| {
            let mut shown = self.repo_json(&links, repo, None);
            shown["score"] = json!(1.0);
            shown
        })
    }

    /// In the files of the default branches.
    pub(super) fn search_code(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        self.caller(request)?;
        let query = Query::of(request)?;
        let mut rows = Vec::new();
        for repo in self.searched(request) {
            let Some(commit) = repo.head().and_then(|head| repo.git.commit(head)) else { continue };
            for (path, (_, oid)) in repo.git.files(commit.tree) {
                let text =
                    repo.git.blob(oid).map(|data| String::from_utf8_lossy(data).into_owned()).unwrap_or_default();
                if query.in_text(&text) && query.holds(|name, value| file_fits(repo, &path, name, value)) {
                    rows.push((repo, path, oid));
                }
            }
        }
        let links = Links::of(request);
        found(request, rows, |(repo, path, oid)| {
            let (url, html) = (links.repo(&repo.full_name()), format!("{}/{}", links.web, repo.full_name()));
            json!({"name": path.rsplit('/').next(), "path": path, "sha": oid, "score": 1.0,
                "url": format!("{url}/contents/{path}?ref={}", repo.default_branch),
                "git_url": format!("{url}/git/blobs/{oid}"),
                "html_url": format!("{html}/blob/{}/{path}", repo.default_branch),
                "repository": self.repo_json(&links, repo, None)})
        })
    }
}

fn file_fits(repo: &Repo, path: &str, name: &str, value: &str) -> bool {
    let path = path.to_lowercase();
    match name {
        "repo" => repo.key() == value,
        "user" | "org" => repo.owner.to_lowercase() == value,
        "path" => path.starts_with(value.trim_start_matches('/')),
        "filename" => path.rsplit('/').next().is_some_and(|file| file.contains(value)),
        "extension" => path.rsplit_once('.').is_some_and(|(_, extension)| extension == value),
        "in" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_phrases_and_qualifiers_are_told_apart() {
        let query = Query::parse("\"out of memory\" label:\"good first issue\" -is:PR crash");
        let qualifier = |wanted, name: &str, value: &str| (wanted, name.to_owned(), value.to_owned());
        let qualifiers = vec![qualifier(true, "label", "good first issue"), qualifier(false, "is", "pr")];
        assert_eq!(query, Query { words: vec!["out of memory".to_owned(), "crash".to_owned()], qualifiers });
    }
}
