//! Labels of a repository and of an issue.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    GitHub,
    errors::{failed, invalid, not_found},
    issues::{issue_mut, names},
    links::{Links, paged},
    model::{Issue, Label, Permission, Repo},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const COLOR: &str = "ededed"; // of a label that nobody gave a color

impl GitHub {
    pub(super) fn list_labels(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let mut rows: Vec<&Label> = repo.labels.oldest_first().collect();
        rows.sort_by_key(|label| label.name.to_lowercase());
        let links = Links::of(request);
        Ok(paged(request, rows, |label| self.label_json(&links, repo, label)))
    }

    pub(super) fn create_label(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let id = self.next_id();
        let repo = self.writable(request, Permission::Push)?;
        let name = fields.get("name").as_str().filter(|name| !name.trim().is_empty());
        let name = name.ok_or_else(|| invalid("Label", "name", "missing_field"))?.trim().to_owned();
        if repo.labels.contains(&name.to_lowercase()) {
            return Err(invalid("Label", "name", "already_exists"));
        }
        let color = color(fields.get("color"))?.unwrap_or_else(|| COLOR.to_owned());
        let description = fields.get("description").as_str().map(str::to_owned);
        let label = Label { id, name, color, description, default: false };
        repo.labels.insert(&label.name.to_lowercase(), label.clone());
        let key = repo.key();
        Ok(Reply::json(201, &self.label_json(&Links::of(request), self.repo(&key), &label)))
    }

    pub(super) fn get_label(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let label = repo.labels.get(&request.param("name").to_lowercase()).ok_or_else(not_found)?;
        Ok(Reply::json(200, &self.label_json(&Links::of(request), repo, label)))
    }

    pub(super) fn update_label(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let repo = self.writable(request, Permission::Push)?;
        let old = request.param("name").to_lowercase();
        let mut label = repo.labels.get(&old).ok_or_else(not_found)?.clone();
        let before = label.name.clone();
        if let Some(name) = fields.get("new_name").as_str() {
            name.clone_into(&mut label.name);
        }
        label.color = color(fields.get("color"))?.unwrap_or(label.color);
        label.description = fields.get("description").as_str().map(str::to_owned).or(label.description);
        let new = label.name.to_lowercase();
        if new != old && repo.labels.contains(&new) {
            return Err(invalid("Label", "name", "already_exists"));
        }
        repo.labels.remove(&old);
        repo.labels.insert(&new, label.clone());
        replace(repo, &before, Some(&label.name));
        let key = repo.key();
        Ok(Reply::json(200, &self.label_json(&Links::of(request), self.repo(&key), &label)))
    }

    pub(super) fn delete_label(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.writable(request, Permission::Push)?;
        let label = repo.labels.remove(&request.param("name").to_lowercase()).ok_or_else(not_found)?;
        replace(repo, &label.name, None);
        Ok(Reply::empty(204))
    }

    pub(super) fn list_issue_labels(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let issue = repo.issue(request.param("number")).ok_or_else(not_found)?;
        Ok(self.issue_labels(request, repo, issue))
    }

    fn issue_labels(&self, request: &Request, repo: &Repo, issue: &Issue) -> Reply {
        let links = Links::of(request);
        let labels = issue.labels.iter().filter_map(|name| repo.labels.get(&name.to_lowercase())).collect();
        paged(request, labels, |label| self.label_json(&links, repo, label))
    }

    pub(super) fn add_labels(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let added = asked(request)?;
        self.change_labels(context, request, |old| Ok(old.union(&added).cloned().collect()))
    }

    pub(super) fn set_labels(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let wanted = asked(request)?;
        self.change_labels(context, request, |_| Ok(wanted))
    }

    pub(super) fn remove_label(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let gone = request.param("name");
        self.change_labels(context, request, |old| {
            let left: BTreeSet<String> = old.iter().filter(|name| !name.eq_ignore_ascii_case(gone)).cloned().collect();
            if left.len() == old.len() { Err(failed(404, "Label does not exist")) } else { Ok(left) }
        })
    }

    pub(super) fn remove_all_labels(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        self.change_labels(context, request, |_| Ok(BTreeSet::new())).map(|_| Reply::empty(204))
    }

    fn change_labels(
        &mut self,
        context: &mut Context<'_>,
        request: &Request,
        change: impl FnOnce(&BTreeSet<String>) -> Result<BTreeSet<String>, Reply>,
    ) -> Answer {
        let repo = &*self.writable(request, Permission::Triage)?;
        let before = repo.issue(request.param("number")).ok_or_else(not_found)?.clone();
        let (key, wanted) = (repo.key(), change(&before.labels)?);
        self.set_labels_of(&key, before.number, wanted);
        issue_mut(self, &key, before.number)?.updated_at = context.now;
        self.announce_changes(context, request, &key, &before);
        let repo = self.repo(&key);
        let issue = repo.issue(request.param("number")).ok_or_else(not_found)?;
        Ok(self.issue_labels(request, repo, issue))
    }
}

/// `{"labels": […]}`, or the array alone.
fn asked(request: &Request) -> Result<BTreeSet<String>, Reply> {
    let found = names(request.tracked().get("labels")).or_else(|| names(request.fields()));
    found.ok_or_else(|| invalid("Label", "labels", "missing_field"))
}

fn color(value: &Value) -> Result<Option<String>, Reply> {
    let Some(text) = value.as_str() else { return Ok(None) };
    let is_color = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_color { Ok(Some(text.to_lowercase())) } else { Err(invalid("Label", "color", "invalid")) }
}

/// In all issues.
fn replace(repo: &mut Repo, old: &str, new: Option<&str>) {
    let having = repo.issues.oldest_first().filter(|issue| issue.labels.contains(old));
    let numbers: Vec<String> = having.map(|issue| issue.number.to_string()).collect();
    for number in numbers {
        if let Some(issue) = repo.issues.get_mut(&number) {
            issue.labels.remove(old);
            issue.labels.extend(new.map(str::to_owned));
        }
    }
}
