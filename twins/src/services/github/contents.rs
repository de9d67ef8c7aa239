//! Files over REST: reading, and commits of one file each.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    GitHub,
    changes::Moved,
    errors::{failed, invalid, not_found, unprocessable},
    git::{Commit, Entry, Kind, MODE_FILE, Oid, Signature},
    links::Links,
    model::{Account, Permission, Repo},
    show::{content_type, person, unverified},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const INLINE_BYTES_MAX: usize = 1024 * 1024; // larger files come raw only
const LINE_CHARS: usize = 60; // the service breaks its base64 into lines

/// Which form of an answer the client wants: `raw`, `diff`, `patch`, `sha`, or nothing in particular.
pub(super) fn media_type(request: &Request) -> &'static str {
    let accept = request.header("accept").unwrap_or_default();
    let form = |name: &&&str| accept.contains(&format!(".{name}")) || accept.contains(&format!("v3.{name}"));
    ["raw", "diff", "patch", "sha"].iter().find(form).copied().unwrap_or_default()
}

pub(super) fn in_lines(data: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(data);
    let lines = text.as_bytes().chunks(LINE_CHARS).map(String::from_utf8_lossy);
    lines.map(|line| format!("{line}\n")).collect()
}

/// What a client means by base64, which may come in lines.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text.split_ascii_whitespace().collect::<String>()).ok()
}

/// The commit that `ref` of the query, or the default branch, means.
fn asked_commit(repo: &Repo, request: &Request) -> Result<(Oid, String), Reply> {
    let name = request.query["ref"].as_str().unwrap_or(&repo.default_branch);
    match repo.git.resolve(name) {
        Some(oid) => Ok((oid, name.to_owned())),
        None if request.query["ref"].is_null() => Err(failed(404, "This repository is empty.")),
        None => Err(failed(404, &format!("No commit found for the ref {name}"))),
    }
}

fn content_json(links: &Links, repo: &Repo, path: &str, entry: &Entry, at: &str) -> Value {
    let (url, html) = (links.repo(&repo.full_name()), format!("{}/{}", links.web, repo.full_name()));
    let (kind, sha) = (content_type(entry.mode), entry.oid);
    let git = if kind == "dir" { "trees" } else { "blobs" };
    let page = if kind == "dir" { "tree" } else { "blob" };
    let own = format!("{url}/contents/{path}?ref={at}");
    let (git_url, html_url) = (format!("{url}/git/{git}/{sha}"), format!("{html}/{page}/{at}/{path}"));
    let download = (kind == "file").then(|| format!("{html}/raw/{at}/{path}"));
    json!({"name": path.rsplit('/').next().unwrap_or(path), "path": path, "sha": sha, "type": kind,
        "size": repo.git.blob(sha).map_or(0, |data| data.len()), "url": own, "html_url": html_url,
        "git_url": git_url, "download_url": download,
        "_links": {"self": own, "git": git_url, "html": html_url}})
}

impl GitHub {
    pub(super) fn get_contents(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let path = request.params.iter().find(|(name, _)| *name == "path").map_or("", |(_, path)| path.as_str());
        self.contents_at(request, path.trim_matches('/'))
    }

    pub(super) fn get_readme(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let (commit, _) = asked_commit(repo, request)?;
        let tree = repo.git.commit(commit).ok_or_else(not_found)?.tree;
        let files = repo.git.listed(tree, false).into_iter().map(|(path, _)| path);
        let is_readme = |path: &String| path.to_lowercase().split('.').next() == Some("readme");
        let readme = files.filter(is_readme).min().ok_or_else(not_found)?;
        self.contents_at(request, &readme)
    }

    fn contents_at(&self, request: &Request, path: &str) -> Answer {
        let repo = self.visible(request)?;
        let (commit, at) = asked_commit(repo, request)?;
        let tree = repo.git.commit(commit).ok_or_else(not_found)?.tree;
        let entry = repo.git.at_path(tree, path).ok_or_else(not_found)?;
        let links = Links::of(request);
        if entry.is_tree() {
            let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            let entries = repo.git.tree(entry.oid).unwrap_or_default();
            let shown = entries.iter().map(|it| content_json(&links, repo, &below(&it.name), it, &at));
            return Ok(Reply::json(200, &shown.collect::<Vec<_>>()));
        }
        let data = repo.git.blob(entry.oid).cloned().unwrap_or_default();
        if media_type(request) == "raw" {
            return Ok(Reply::bytes(200, "application/vnd.github.raw+json; charset=utf-8", data));
        }
        let mut shown = content_json(&links, repo, path, &entry, &at);
        let inline = data.len() <= INLINE_BYTES_MAX;
        shown["content"] = json!(if inline { in_lines(&data) } else { String::new() });
        shown["encoding"] = json!(if inline { "base64" } else { "none" });
        Ok(Reply::json(200, &shown))
    }

    pub(super) fn put_contents(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let content = fields.get("content").as_str().ok_or_else(|| missing("content"))?;
        let data = from_base64(content).ok_or_else(|| unprocessable("content is not valid Base64"))?;
        let write = self.file_write(request)?;
        let old = write.old;
        if let Some(old) = old {
            check_sha(request, old, &write.path)?;
        } else if let Some(given) = fields.get("sha").as_str() {
            return Err(failed(409, &format!("{} does not match {given}", write.path)));
        }
        let repo = self.repos.get_mut(&write.key).expect("was just seen");
        let blob = repo.git.put(Kind::Blob, data);
        let commit = self.write_file(context, request, &write, Some((MODE_FILE, blob)))?;
        let entry = Entry { mode: MODE_FILE, name: write.path.clone(), oid: blob };
        let (links, repo) = (Links::of(request), self.repo(&write.key));
        let content = content_json(&links, repo, &write.path, &entry, &write.branch);
        let body = json!({"content": content, "commit": file_commit_json(&links, repo, commit)});
        Ok(Reply::json(if old.is_some() { 200 } else { 201 }, &body))
    }

    pub(super) fn delete_contents(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let write = self.file_write(request)?;
        let old = write.old.ok_or_else(not_found)?;
        check_sha(request, old, &write.path)?;
        let commit = self.write_file(context, request, &write, None)?;
        let shown = file_commit_json(&Links::of(request), self.repo(&write.key), commit);
        Ok(Reply::json(200, &json!({"content": null, "commit": shown})))
    }

    fn file_write(&mut self, request: &Request) -> Result<FileWrite, Reply> {
        let repo = &*self.writable(request, Permission::Push)?;
        let fields = request.tracked();
        // DELETE takes its fields from the query as well.
        let field = |name: &str| fields.get(name).as_str().or_else(|| request.query[name].as_str());
        let message = field("message").ok_or_else(|| missing("message"))?.to_owned();
        let branch = field("branch").unwrap_or(&repo.default_branch).trim_start_matches("refs/heads/").to_owned();
        let path = request.param("path").trim_matches('/').to_owned();
        if path.split('/').any(|name| matches!(name, "" | "." | ".." | ".git")) {
            return Err(unprocessable("path contains a malformed path component"));
        }
        let tip = repo.git.branch(&branch);
        if tip.is_none() && repo.git.refs("refs/heads/").next().is_some() {
            return Err(failed(404, &format!("Branch {branch} not found")));
        }
        let tree = tip.and_then(|tip| repo.git.commit(tip)).map(|commit| commit.tree);
        let old = tree.and_then(|tree| repo.git.at_path(tree, &path)).filter(|entry| !entry.is_tree());
        Ok(FileWrite { key: repo.key(), branch, path, message, tip, tree, old: old.map(|entry| entry.oid) })
    }

    fn write_file(
        &mut self,
        context: &mut Context<'_>,
        request: &Request,
        write: &FileWrite,
        leaf: Option<(u32, Oid)>,
    ) -> Result<Oid, Reply> {
        let caller = self.caller(request)?.clone();
        let fields = request.tracked();
        let committer = signature(fields.get("committer"), &caller, context)?;
        let author = match fields.get("author") {
            Value::Null => committer.clone(),
            author => signature(author, &caller, context)?,
        };
        let repo = self.repos.get_mut(&write.key).expect("was just seen");
        let tree = repo.git.with_path(write.tree, &write.path, leaf);
        let parents = write.tip.into_iter().collect();
        let new = repo.git.put_commit(&Commit { tree, parents, author, committer, message: write.message.clone() });
        let name = format!("refs/heads/{}", write.branch);
        repo.git.set_ref(&name, new);
        let moved = Moved { key: &write.key, name: &name, old: write.tip.unwrap_or(Oid::ZERO), new };
        self.ref_moved(context, &Links::of(request), &caller.login, moved);
        Ok(new)
    }
}

/// A change of one file that was asked for.
struct FileWrite {
    key: String,
    branch: String,
    path: String,
    message: String,
    tip: Option<Oid>,
    tree: Option<Oid>,
    /// The blob that is there now.
    old: Option<Oid>,
}

fn missing(field: &str) -> Reply {
    unprocessable(&format!("Invalid request.\n\n\"{field}\" wasn't supplied."))
}

/// One who changes a file says which content he has seen.
fn check_sha(request: &Request, old: Oid, path: &str) -> Result<(), Reply> {
    let given = request.tracked().get("sha").as_str().or_else(|| request.query["sha"].as_str());
    match given {
        None => Err(missing("sha")),
        Some(given) if given == old.to_string() => Ok(()),
        Some(given) => Err(failed(409, &format!("{path} does not match {given}"))),
    }
}

/// `{"name", "email", "date"}`, or the account itself.
pub(super) fn signature(given: &Value, account: &Account, context: &Context<'_>) -> Result<Signature, Reply> {
    let at = match given["date"].as_str() {
        Some(date) => date.parse().map_err(|_| invalid("Commit", "date", "invalid"))?,
        None => context.now,
    };
    let own = account.name.as_deref().unwrap_or(&account.login);
    let email = account.commit_email();
    if given.is_object() && (given["name"].as_str().is_none() || given["email"].as_str().is_none()) {
        return Err(invalid("Commit", "author", "missing_field"));
    }
    Ok(Signature::new(given["name"].as_str().unwrap_or(own), given["email"].as_str().unwrap_or(&email), at))
}

/// A commit as the contents and git data APIs write it.
pub(super) fn file_commit_json(links: &Links, repo: &Repo, oid: Oid) -> Value {
    let Some(commit) = repo.git.commit(oid) else { return Value::Null };
    let (url, html) = (links.repo(&repo.full_name()), format!("{}/{}", links.web, repo.full_name()));
    let parent = |parent: &Oid| {
        json!({"sha": parent, "url": format!("{url}/git/commits/{parent}"),
            "html_url": format!("{html}/commit/{parent}")})
    };
    json!({"sha": oid, "node_id": super::show::node_id("Commit", oid), "url": format!("{url}/git/commits/{oid}"),
        "html_url": format!("{html}/commit/{oid}"), "author": person(&commit.author),
        "committer": person(&commit.committer), "message": commit.message.trim_end(),
        "tree": {"sha": commit.tree, "url": format!("{url}/git/trees/{}", commit.tree)},
        "parents": commit.parents.iter().map(parent).collect::<Vec<_>>(), "verification": unverified()})
}
