//! The git database over REST: blobs, trees, commits, refs and tags.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    GitHub,
    changes::Moved,
    contents::{file_commit_json, from_base64, in_lines, media_type, signature},
    errors::{failed, invalid, not_found, unprocessable},
    git::{Commit, Entry, Kind, MODE_COMMIT, MODE_TREE, Oid, Store, Tag},
    links::Links,
    model::{Permission, Repo},
    show::{entry_type, node_id, person, unverified},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const TREE_ENTRIES_MAX: usize = 100_000; // one listing shows no more, as at the service

fn asked_oid(request: &Request) -> Result<Oid, Reply> {
    let sha = request.param("sha");
    Oid::parse(sha)
        .ok_or_else(|| unprocessable("The sha parameter must be exactly 40 characters and contain only [0-9a-f]."))
}

impl GitHub {
    pub(super) fn create_blob(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let content = fields.get("content").as_str().ok_or_else(|| invalid("Blob", "content", "missing_field"))?;
        let data = match fields.get("encoding").as_str().unwrap_or("utf-8") {
            "base64" => from_base64(content).ok_or_else(|| invalid("Blob", "content", "invalid"))?,
            "utf-8" => content.as_bytes().to_vec(),
            _ => return Err(invalid("Blob", "encoding", "invalid")),
        };
        let repo = self.writable(request, Permission::Push)?;
        let sha = repo.git.put(Kind::Blob, data);
        let url = format!("{}/git/blobs/{sha}", Links::of(request).repo(&repo.full_name()));
        Ok(Reply::json(201, &json!({"sha": sha, "url": url})))
    }

    pub(super) fn get_blob(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let sha = asked_oid(request)?;
        let data = repo.git.blob(sha).ok_or_else(not_found)?;
        if media_type(request) == "raw" {
            return Ok(Reply::bytes(200, "application/vnd.github.raw+json; charset=utf-8", data.clone()));
        }
        let url = format!("{}/git/blobs/{sha}", Links::of(request).repo(&repo.full_name()));
        let body = json!({"sha": sha, "node_id": node_id("Blob", sha), "size": data.len(), "url": url,
            "content": in_lines(data), "encoding": "base64"});
        Ok(Reply::json(200, &body))
    }

    pub(super) fn create_tree(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let repo = self.writable(request, Permission::Push)?;
        let mut tree = match fields.get("base_tree").as_str() {
            None => None,
            Some(base) => Some(base_tree(&repo.git, base).ok_or_else(|| failed(404, "Not Found"))?),
        };
        let entries = fields.get("tree").as_array().ok_or_else(|| invalid("Tree", "tree", "missing_field"))?;
        if entries.is_empty() && tree.is_none() {
            return Err(unprocessable("Invalid tree info"));
        }
        for entry in entries {
            let path = entry["path"].as_str().ok_or_else(|| unprocessable("tree.path is missing"))?;
            if path.split('/').any(|name| matches!(name, "" | "." | ".." | ".git")) {
                return Err(unprocessable("tree.path contains a malformed path component"));
            }
            let leaf = tree_leaf(&mut repo.git, entry)?;
            tree = Some(repo.git.with_path(tree, path, leaf));
        }
        let tree = tree.expect("there was a base or an entry");
        Ok(Reply::json(201, &tree_json(&Links::of(request), repo, tree, false)))
    }

    pub(super) fn get_tree(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let tree = base_tree(&repo.git, request.param("sha")).ok_or_else(not_found)?;
        let recursive = !matches!(request.query["recursive"].as_str(), None | Some("" | "0" | "false"));
        Ok(Reply::json(200, &tree_json(&Links::of(request), repo, tree, recursive)))
    }

    pub(super) fn create_commit(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let caller = self.caller(request)?.clone();
        let repo = self.writable(request, Permission::Push)?;
        let message = fields.get("message").as_str().ok_or_else(|| invalid("Commit", "message", "missing_field"))?;
        let tree = fields.get("tree").as_str().and_then(Oid::parse).filter(|oid| repo.git.tree(*oid).is_some());
        let tree = tree.ok_or_else(|| unprocessable("Tree SHA does not exist"))?;
        let known = |parent: &Value| Oid::parse(parent.as_str()?).filter(|oid| repo.git.commit(*oid).is_some());
        let parents = fields.get("parents").as_array().map_or(Some(Vec::new()), |all| all.iter().map(known).collect());
        let parents = parents.ok_or_else(|| unprocessable("Parent SHA does not exist or is not a commit object"))?;
        let author = signature(fields.get("author"), &caller, context)?;
        let committer = match fields.get("committer") {
            Value::Null => author.clone(),
            committer => signature(committer, &caller, context)?,
        };
        let sha = repo.git.put_commit(&Commit { tree, parents, author, committer, message: message.to_owned() });
        Ok(Reply::json(201, &file_commit_json(&Links::of(request), repo, sha)))
    }

    pub(super) fn get_git_commit(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let sha = asked_oid(request)?;
        match file_commit_json(&Links::of(request), repo, sha) {
            Value::Null => Err(not_found()),
            shown => Ok(Reply::json(200, &shown)),
        }
    }

    pub(super) fn create_tag(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let caller = self.caller(request)?.clone();
        let repo = self.writable(request, Permission::Push)?;
        let text = |name: &str| fields.get(name).as_str().ok_or_else(|| invalid("Tag", name, "missing_field"));
        let object = Oid::parse(text("object")?).ok_or_else(|| invalid("Tag", "object", "invalid"))?;
        let kind = repo.git.kind(object).ok_or_else(|| unprocessable("Object does not exist"))?;
        let (name, message) = (text("tag")?.to_owned(), text("message")?.to_owned());
        let tagger = Some(signature(fields.get("tagger"), &caller, context)?);
        let sha = repo.git.put_tag(&Tag { object, kind, name, tagger, message });
        let shown = tag_json(&Links::of(request), repo, sha).ok_or_else(not_found)?;
        Ok(Reply::json(201, &shown))
    }

    pub(super) fn get_tag(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let shown = tag_json(&Links::of(request), repo, asked_oid(request)?).ok_or_else(not_found)?;
        Ok(Reply::json(200, &shown))
    }

    pub(super) fn get_ref(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let name = format!("refs/{}", request.param("ref").trim_start_matches("refs/"));
        let oid = repo.git.reference(&name).ok_or_else(not_found)?;
        Ok(Reply::json(200, &ref_json(&Links::of(request), repo, &name, oid)))
    }

    pub(super) fn list_matching_refs(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let asked = request.params.iter().find(|(name, _)| *name == "ref").map_or("", |(_, name)| name.as_str());
        let prefix = format!("refs/{}", asked.trim_start_matches("refs/"));
        let links = Links::of(request);
        let rows = repo.git.refs(&prefix).collect();
        Ok(super::links::paged(request, rows, |(name, oid)| ref_json(&links, repo, name, oid)))
    }

    pub(super) fn create_ref(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let caller = self.caller(request)?.login.clone();
        let repo = self.writable(request, Permission::Push)?;
        let name = fields.get("ref").as_str().unwrap_or_default().to_owned();
        if !is_ref_name(&name) {
            return Err(unprocessable("Reference name must start with 'refs/' and be well formed"));
        }
        let new = target(repo, &name, fields.get("sha"))?;
        if repo.git.reference(&name).is_some() {
            return Err(unprocessable("Reference already exists"));
        }
        repo.git.set_ref(&name, new);
        let key = repo.key();
        let moved = Moved { key: &key, name: &name, old: Oid::ZERO, new };
        self.ref_moved(context, &Links::of(request), &caller, moved);
        Ok(Reply::json(201, &ref_json(&Links::of(request), self.repo(&key), &name, new)))
    }

    pub(super) fn update_ref(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let caller = self.caller(request)?.login.clone();
        let repo = self.writable(request, Permission::Push)?;
        let name = format!("refs/{}", request.param("ref").trim_start_matches("refs/"));
        let old = repo.git.reference(&name).ok_or_else(|| unprocessable("Reference does not exist"))?;
        let new = target(repo, &name, fields.get("sha"))?;
        let forced = fields.get("force").as_bool() == Some(true);
        if !forced && name.starts_with("refs/heads/") && !repo.git.is_ancestor(old, new) {
            return Err(unprocessable("Update is not a fast forward"));
        }
        repo.git.set_ref(&name, new);
        let key = repo.key();
        if old != new {
            let moved = Moved { key: &key, name: &name, old, new };
            self.ref_moved(context, &Links::of(request), &caller, moved);
        }
        Ok(Reply::json(200, &ref_json(&Links::of(request), self.repo(&key), &name, new)))
    }

    pub(super) fn delete_ref(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let caller = self.caller(request)?.login.clone();
        let repo = self.writable(request, Permission::Push)?;
        let name = format!("refs/{}", request.param("ref").trim_start_matches("refs/"));
        let old = repo.git.reference(&name).ok_or_else(|| unprocessable("Reference does not exist"))?;
        if name == format!("refs/heads/{}", repo.default_branch) {
            return Err(unprocessable("Cannot delete the default branch"));
        }
        repo.git.delete_ref(&name);
        let key = repo.key();
        let moved = Moved { key: &key, name: &name, old, new: Oid::ZERO };
        self.ref_moved(context, &Links::of(request), &caller, moved);
        Ok(Reply::empty(204))
    }
}

/// A tree by its hash, or that of a commit, a branch or a tag.
fn base_tree(store: &Store, name: &str) -> Option<Oid> {
    let tree = Oid::parse(name).filter(|oid| store.kind(*oid) == Some(Kind::Tree));
    tree.or_else(|| store.commit(store.resolve(name)?).map(|commit| commit.tree))
}

/// What an entry puts at its path; None takes it away.
fn tree_leaf(store: &mut Store, entry: &Value) -> Result<Option<(u32, Oid)>, Reply> {
    let mode = entry["mode"].as_str().and_then(|mode| u32::from_str_radix(mode, 8).ok());
    let known = mode.filter(|mode| matches!(mode, 0o100_644 | 0o100_755 | 0o040_000 | 0o160_000 | 0o120_000));
    if let (Some(sha), true) = (entry.get("sha"), entry["content"].is_null()) {
        let Some(sha) = sha.as_str() else { return Ok(None) };
        let mode = known.ok_or_else(|| unprocessable("tree.mode must be one of the known modes"))?;
        let oid = Oid::parse(sha).filter(|oid| mode == MODE_COMMIT || store.kind(*oid).is_some());
        let oid = oid.ok_or_else(|| unprocessable(&format!("tree.sha {sha} is not a valid blob")))?;
        let fits = mode == MODE_COMMIT || (store.kind(oid) == Some(Kind::Tree)) == (mode == MODE_TREE);
        return if fits { Ok(Some((mode, oid))) } else { Err(unprocessable("tree.mode does not fit tree.sha")) };
    }
    let content =
        entry["content"].as_str().ok_or_else(|| unprocessable("Must supply either tree.sha or tree.content"))?;
    let mode = known.ok_or_else(|| unprocessable("tree.mode must be one of the known modes"))?;
    Ok(Some((mode, store.put(Kind::Blob, content.to_owned()))))
}

fn tree_json(links: &Links, repo: &Repo, tree: Oid, recursive: bool) -> Value {
    let url = links.repo(&repo.full_name());
    let shown = |(path, entry): &(String, Entry)| {
        let (kind, sha) = (entry_type(entry.mode), entry.oid);
        let mut shown = json!({"path": path, "mode": format!("{:06o}", entry.mode), "type": kind, "sha": sha});
        if kind != "commit" {
            shown["url"] = json!(format!("{url}/git/{kind}s/{sha}"));
        }
        if let Some(data) = repo.git.blob(sha) {
            shown["size"] = json!(data.len());
        }
        shown
    };
    let entries = repo.git.listed(tree, recursive);
    let tree_entries: Vec<Value> = entries.iter().take(TREE_ENTRIES_MAX).map(shown).collect();
    json!({"sha": tree, "url": format!("{url}/git/trees/{tree}"), "tree": tree_entries,
        "truncated": entries.len() > TREE_ENTRIES_MAX})
}

fn tag_json(links: &Links, repo: &Repo, oid: Oid) -> Option<Value> {
    let tag = repo.git.tag(oid)?;
    let url = links.repo(&repo.full_name());
    let kind = tag.kind.name();
    Some(json!({"node_id": node_id("Tag", oid), "tag": tag.name, "sha": oid, "url": format!("{url}/git/tags/{oid}"),
        "message": tag.message.trim_end(), "tagger": tag.tagger.as_ref().map(person), "verification": unverified(),
        "object": {"type": kind, "sha": tag.object, "url": format!("{url}/git/{kind}s/{}", tag.object)}}))
}

fn ref_json(links: &Links, repo: &Repo, name: &str, oid: Oid) -> Value {
    let url = links.repo(&repo.full_name());
    let kind = repo.git.kind(oid).map_or("commit", Kind::name);
    json!({"ref": name, "node_id": BASE64_STANDARD.encode(format!("Ref:{}:{name}", repo.id)),
        "url": format!("{url}/git/{name}"),
        "object": {"sha": oid, "type": kind, "url": format!("{url}/git/{kind}s/{oid}")}})
}

/// Git's own rules for names, as far as a person breaks them.
fn is_ref_name(name: &str) -> bool {
    let bad = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    let parts = || name.split('/');
    name.starts_with("refs/")
        && parts().count() >= 3
        && !name.contains(bad)
        && !name.contains("..")
        && !name.contains("@{")
        && parts().all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
        && !name.ends_with('.')
}

fn target(repo: &Repo, name: &str, sha: &Value) -> Result<Oid, Reply> {
    let sha = sha.as_str().ok_or_else(|| unprocessable("Invalid request.\n\n\"sha\" wasn't supplied."))?;
    let oid = Oid::parse(sha).filter(|oid| repo.git.kind(*oid).is_some());
    let oid = oid.ok_or_else(|| unprocessable("Object does not exist"))?;
    let fits = !name.starts_with("refs/heads/") || repo.git.kind(oid) == Some(Kind::Commit);
    if fits { Ok(oid) } else { Err(unprocessable("Object is not a commit")) }
}
