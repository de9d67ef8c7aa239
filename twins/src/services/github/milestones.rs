//! Milestones of a repository.

use super::{
    GitHub,
    errors::{invalid, not_found},
    links::{Links, paged},
    model::{Milestone, Permission},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

impl GitHub {
    pub(super) fn list_milestones(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let state = request.query["state"].as_str().unwrap_or("open");
        let rows = repo.milestones.oldest_first().filter(|it| state == "all" || it.open == (state == "open"));
        let links = Links::of(request);
        Ok(paged(request, rows.collect(), |it| self.milestone_json(&links, repo, it)))
    }

    pub(super) fn create_milestone(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.next_id();
        let creator = self.caller(request)?.login.clone();
        let repo = self.writable(request, Permission::Push)?;
        let title = request.tracked().get("title").as_str().filter(|title| !title.is_empty());
        let title = title.ok_or_else(|| invalid("Milestone", "title", "missing_field"))?.to_owned();
        if repo.milestones.oldest_first().any(|known| known.title == title) {
            return Err(invalid("Milestone", "title", "already_exists"));
        }
        repo.last_milestone += 1;
        let number = repo.last_milestone;
        let (created_at, updated_at) = (context.now, context.now);
        let (description, due_on) = (None, None);
        let mut milestone =
            Milestone { id, number, title, description, creator, open: true, due_on, created_at, updated_at };
        describe(&mut milestone, request)?;
        repo.milestones.insert(&number.to_string(), milestone.clone());
        let key = repo.key();
        Ok(Reply::json(201, &self.milestone_json(&Links::of(request), self.repo(&key), &milestone)))
    }

    pub(super) fn get_milestone(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let milestone = repo.milestones.get(request.param("number")).ok_or_else(not_found)?;
        Ok(Reply::json(200, &self.milestone_json(&Links::of(request), repo, milestone)))
    }

    pub(super) fn update_milestone(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.writable(request, Permission::Push)?;
        let milestone = repo.milestones.get_mut(request.param("number")).ok_or_else(not_found)?;
        describe(milestone, request)?;
        milestone.updated_at = context.now;
        let (milestone, key) = (milestone.clone(), repo.key());
        Ok(Reply::json(200, &self.milestone_json(&Links::of(request), self.repo(&key), &milestone)))
    }

    pub(super) fn delete_milestone(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.writable(request, Permission::Push)?;
        let gone = repo.milestones.remove(request.param("number")).ok_or_else(not_found)?.number;
        let having = repo.issues.oldest_first().filter(|issue| issue.milestone == Some(gone));
        let numbers: Vec<String> = having.map(|issue| issue.number.to_string()).collect();
        for number in numbers {
            if let Some(issue) = repo.issues.get_mut(&number) {
                issue.milestone = None;
            }
        }
        Ok(Reply::empty(204))
    }
}

fn describe(milestone: &mut Milestone, request: &Request) -> Result<(), Reply> {
    let fields = request.tracked();
    let text = |name: &str| fields.get(name).as_str().map(str::to_owned);
    milestone.title = text("title").unwrap_or_else(|| milestone.title.clone());
    milestone.description = text("description").or_else(|| milestone.description.take());
    milestone.due_on = text("due_on").or_else(|| milestone.due_on.take());
    match fields.get("state").as_str() {
        None => {}
        Some("open") => milestone.open = true,
        Some("closed") => milestone.open = false,
        Some(_) => return Err(invalid("Milestone", "state", "invalid")),
    }
    Ok(())
}
