//! Branches and tags as lists, and merging one branch into another.

use serde_json::{Value, json};

use super::{
    GitHub,
    changes::Moved,
    errors::{failed, not_found},
    git::{Commit, Merged, Oid, Signature},
    links::{Links, paged},
    model::{Permission, Repo},
    show::node_id,
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const HEADS: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";

fn short_json(links: &Links, repo: &Repo, name: &str, oid: Oid) -> Value {
    let url = links.repo(&repo.full_name());
    let protection = json!({"enabled": false,
        "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []}});
    json!({"name": name, "commit": {"sha": oid, "url": format!("{url}/commits/{oid}")}, "protected": false,
        "protection": protection, "protection_url": format!("{url}/branches/{name}/protection")})
}

impl GitHub {
    pub(super) fn list_branches(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let links = Links::of(request);
        let rows = repo.git.refs(HEADS).collect();
        Ok(paged(request, rows, |(name, oid): (&str, Oid)| short_json(&links, repo, &name[HEADS.len()..], oid)))
    }

    pub(super) fn get_branch(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let name = request.param("branch");
        let oid = repo.git.branch(name).ok_or_else(|| failed(404, "Branch not found"))?;
        let commit = repo.git.commit(oid).ok_or_else(not_found)?;
        let links = Links::of(request);
        let mut shown = short_json(&links, repo, name, oid);
        shown["commit"] = self.commit_json(&links, repo, oid, &commit);
        let url = format!("{}/branches/{name}", links.repo(&repo.full_name()));
        let html = format!("{}/{}/tree/{name}", links.web, repo.full_name());
        shown["_links"] = json!({"self": url, "html": html});
        Ok(Reply::json(200, &shown))
    }

    pub(super) fn list_tags(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let url = Links::of(request).repo(&repo.full_name());
        let mut rows: Vec<(&str, Oid)> = repo.git.refs(TAGS).collect();
        rows.reverse();
        let shown = |(name, oid): (&str, Oid)| {
            let (tag, commit) = (&name[TAGS.len()..], repo.git.peel(oid).unwrap_or(oid));
            json!({"name": tag, "commit": {"sha": commit, "url": format!("{url}/commits/{commit}")},
                "zipball_url": format!("{url}/zipball/{name}"), "tarball_url": format!("{url}/tarball/{name}"),
                "node_id": node_id("Ref", name)})
        };
        Ok(paged(request, rows, shown))
    }

    pub(super) fn merge_branch(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let caller = self.caller(request)?.clone();
        let repo = self.writable(request, Permission::Push)?;
        let (base, head) = (fields.get("base").as_str().unwrap_or_default(), fields.get("head").as_str());
        let ours = repo.git.branch(base).ok_or_else(|| failed(404, "Base does not exist"))?;
        let head = head.unwrap_or_default();
        let theirs = repo.git.resolve(head).ok_or_else(|| failed(404, "Head does not exist"))?;
        if repo.git.is_ancestor(theirs, ours) {
            return Ok(Reply::empty(204));
        }
        let Merged::Tree(tree) = repo.git.merge(ours, theirs) else { return Err(failed(409, "Merge conflict")) };
        let who = Signature::new(caller.name.as_deref().unwrap_or(&caller.login), &caller.commit_email(), context.now);
        let usual = format!("Merge {head} into {base}");
        let message = fields.get("commit_message").as_str().unwrap_or(&usual).to_owned();
        let (author, parents) = (who.clone(), vec![ours, theirs]);
        let new = repo.git.put_commit(&Commit { tree, parents, author, committer: who, message });
        let (key, name) = (repo.key(), format!("{HEADS}{base}"));
        repo.git.set_ref(&name, new);
        let links = Links::of(request);
        self.ref_moved(context, &links, &caller.login, Moved { key: &key, name: &name, old: ours, new });
        let repo = self.repo(&key);
        let commit = repo.git.commit(new).ok_or_else(not_found)?;
        Ok(Reply::json(201, &self.commit_json(&links, repo, new, &commit)))
    }

    /// Somebody pushes one file: `{"repo", "path", "text", "branch", "message", "by"}`.
    pub(super) fn act_push(&mut self, context: &mut Context<'_>, argument: &Value) -> Result<Value, String> {
        let text = |name: &str| argument[name].as_str();
        let needed = |name: &str| text(name).ok_or_else(|| format!("give `{name}`"));
        let (key, path, content) = (needed("repo")?.to_lowercase(), needed("path")?, needed("text")?.to_owned());
        let by = text("by").map(str::to_owned).or_else(|| key.split('/').next().map(str::to_owned)).unwrap_or_default();
        let account = self.account(&by).ok_or_else(|| format!("no user `{by}`"))?.clone();
        let repo = self.repos.get_mut(&key).ok_or_else(|| format!("no repository `{key}`"))?;
        let branch = text("branch").unwrap_or(&repo.default_branch).to_owned();
        let tip = repo.git.branch(&branch).or_else(|| repo.head());
        let tree = tip.and_then(|tip| repo.git.commit(tip)).map(|commit| commit.tree);
        let blob = repo.git.put(super::git::Kind::Blob, content);
        let tree = repo.git.with_path(tree, path, Some((super::git::MODE_FILE, blob)));
        let name = account.name.as_deref().unwrap_or(&account.login);
        let who = Signature::new(name, &account.commit_email(), context.now);
        let message = text("message").map_or_else(|| format!("Change {path}"), str::to_owned);
        let (author, parents) = (who.clone(), tip.into_iter().collect());
        let new = repo.git.put_commit(&Commit { tree, parents, author, committer: who, message });
        let name = format!("{HEADS}{branch}");
        let old = repo.git.reference(&name).unwrap_or(Oid::ZERO);
        repo.git.set_ref(&name, new);
        let links = Links::below("http://github.twin");
        self.ref_moved(context, &links, &account.login, Moved { key: &key, name: &name, old, new });
        Ok(json!({"sha": new, "ref": name}))
    }
}

/// Where a branch of another repository is meant: `owner:branch`.
pub(super) fn owner_and_branch(text: &str) -> (Option<&str>, &str) {
    text.split_once(':').map_or((None, text), |(owner, branch)| (Some(owner), branch))
}
