//! What other services say about a commit: statuses and check runs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    GitHub,
    errors::{invalid, not_found, unprocessable},
    git::Oid,
    links::{Links, counted, paged},
    model::{Check, Permission, Repo, Status},
    show::{node_id, time},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const STATES: [&str; 4] = ["error", "failure", "pending", "success"];
const CONCLUSIONS: [&str; 7] =
    ["action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"];

fn asked_commit(repo: &Repo, request: &Request) -> Result<Oid, Reply> {
    let name = request.param("ref");
    repo.git.resolve(name).ok_or_else(|| unprocessable(&format!("No commit found for SHA: {name}")))
}

impl GitHub {
    fn status_json(&self, links: &Links, repo: &Repo, status: &Status) -> Value {
        let url = format!("{}/statuses/{}", links.repo(&repo.full_name()), status.sha);
        json!({"url": url, "id": status.id, "node_id": node_id("StatusContext", status.id), "state": status.state,
            "avatar_url": null, "description": status.description, "target_url": status.target_url,
            "context": status.context, "created_at": time(status.created_at), "updated_at": time(status.created_at),
            "creator": self.user(links, &status.creator)})
    }

    pub(super) fn create_status(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let (id, creator) = (self.next_id(), self.caller(request)?.login.clone());
        let repo = self.writable(request, Permission::Push)?;
        let text = |name: &str| fields.get(name).as_str().map(str::to_owned);
        let state = text("state").filter(|state| STATES.contains(&state.as_str()));
        let state = state.ok_or_else(|| invalid("Status", "state", "invalid"))?;
        let sha = Oid::parse(request.param("ref")).filter(|oid| repo.git.commit(*oid).is_some());
        let sha = sha.ok_or_else(|| unprocessable(&format!("No commit found for SHA: {}", request.param("ref"))))?;
        let label = text("context").unwrap_or_else(|| "default".to_owned());
        let (description, target_url) = (text("description"), text("target_url"));
        let created_at = context.now;
        let status = Status { id, sha, state, context: label, description, target_url, creator, created_at };
        repo.statuses.insert(&id.to_string(), status.clone());
        let key = repo.key();
        let (links, repo) = (Links::of(request), self.repo(&key));
        let shown = self.status_json(&links, repo, &status);
        let mut payload = shown.clone();
        super::show::extend(&mut payload, json!({"sha": sha, "name": repo.full_name(), "branches": []}));
        self.announce(context, request, &key, "status", payload);
        Ok(Reply::json(201, &shown))
    }

    pub(super) fn list_statuses(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let sha = asked_commit(repo, request)?;
        let rows = repo.statuses.newest_first().filter(|status| status.sha == sha).collect();
        let links = Links::of(request);
        Ok(paged(request, rows, |status| self.status_json(&links, repo, status)))
    }

    /// The newest status of each context, and what they say together.
    pub(super) fn combined_status(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let sha = asked_commit(repo, request)?;
        let mut latest = BTreeMap::new();
        for status in repo.statuses.oldest_first().filter(|status| status.sha == sha) {
            latest.insert(status.context.as_str(), status);
        }
        let has = |wanted: &[&str]| latest.values().any(|status| wanted.contains(&status.state.as_str()));
        let state = match () {
            () if has(&["error", "failure"]) => "failure",
            () if latest.is_empty() || has(&["pending"]) => "pending",
            () => "success",
        };
        let links = Links::of(request);
        let url = format!("{}/commits/{sha}", links.repo(&repo.full_name()));
        let statuses: Vec<Value> = latest.values().map(|status| self.status_json(&links, repo, status)).collect();
        let body = json!({"state": state, "statuses": statuses, "sha": sha, "total_count": statuses.len(),
            "repository": self.repo_json(&links, repo, None), "commit_url": url, "url": format!("{url}/status")});
        Ok(Reply::json(200, &body))
    }

    fn check_json(&self, links: &Links, repo: &Repo, check: &Check) -> Value {
        let url = format!("{}/check-runs/{}", links.repo(&repo.full_name()), check.id);
        let html = format!("{}/{}/runs/{}", links.web, repo.full_name(), check.id);
        let output = &check.output;
        let annotations = output["annotations"].as_array().map_or(0, Vec::len);
        json!({"id": check.id, "node_id": node_id("CheckRun", check.id), "head_sha": check.sha, "name": check.name,
            "external_id": check.external_id, "url": url, "html_url": html, "status": check.status,
            "details_url": check.details_url.as_ref().unwrap_or(&html), "conclusion": check.conclusion,
            "started_at": time(check.started_at), "completed_at": check.completed_at.map(time),
            "output": {"title": output["title"], "summary": output["summary"], "text": output["text"],
                "annotations_count": annotations, "annotations_url": format!("{url}/annotations")},
            "check_suite": {"id": check.id}, "app": null, "pull_requests": []})
    }

    pub(super) fn create_check(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let id = self.next_id();
        let repo = self.writable(request, Permission::Push)?;
        let text = |name: &str| fields.get(name).as_str().ok_or_else(|| invalid("CheckRun", name, "missing_field"));
        let (name, sha) = (text("name")?.to_owned(), text("head_sha")?);
        let sha = Oid::parse(sha).filter(|oid| repo.git.commit(*oid).is_some());
        let sha = sha.ok_or_else(|| unprocessable("No commit found for SHA"))?;
        let mut check = Check {
            id,
            name,
            sha,
            status: "queued".to_owned(),
            conclusion: None,
            started_at: context.now,
            completed_at: None,
            details_url: None,
            external_id: String::new(),
            output: json!({}),
        };
        describe(&mut check, request, context.now)?;
        repo.checks.insert(&id.to_string(), check.clone());
        let key = repo.key();
        Ok(Reply::json(201, &self.announced_check(context, request, &key, &check, "created")))
    }

    fn announced_check(
        &self,
        context: &mut Context<'_>,
        request: &Request,
        key: &str,
        check: &Check,
        action: &str,
    ) -> Value {
        let shown = self.check_json(&Links::of(request), self.repo(key), check);
        let action = if check.conclusion.is_some() { "completed" } else { action };
        self.announce(context, request, key, "check_run", json!({"action": action, "check_run": shown}));
        shown
    }

    pub(super) fn update_check(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.writable(request, Permission::Push)?;
        let check = repo.checks.get_mut(request.param("check_run_id")).ok_or_else(not_found)?;
        describe(check, request, context.now)?;
        let (check, key) = (check.clone(), repo.key());
        Ok(Reply::json(200, &self.announced_check(context, request, &key, &check, "rerequested")))
    }

    pub(super) fn get_check(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let check = repo.checks.get(request.param("check_run_id")).ok_or_else(not_found)?;
        Ok(Reply::json(200, &self.check_json(&Links::of(request), repo, check)))
    }

    pub(super) fn list_checks(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let sha = asked_commit(repo, request)?;
        let query = |name: &str| request.query[name].as_str();
        let fits = |check: &&Check| {
            check.sha == sha
                && query("check_name").is_none_or(|name| name == check.name)
                && query("status").is_none_or(|status| status == check.status)
        };
        let links = Links::of(request);
        let rows = repo.checks.newest_first().filter(fits).collect();
        Ok(counted(request, "check_runs", rows, |check| self.check_json(&links, repo, check)))
    }
}

/// A conclusion completes a check run, whatever else is said.
fn describe(check: &mut Check, request: &Request, now: Timestamp) -> Result<(), Reply> {
    let fields = request.tracked();
    let text = |name: &str| fields.get(name).as_str().map(str::to_owned);
    let instant = |name: &str| text(name).map(|at| at.parse::<Timestamp>()).transpose();
    let bad = |name: &'static str| move |_| invalid("CheckRun", name, "invalid");
    check.name = text("name").unwrap_or_else(|| check.name.clone());
    check.status = text("status").unwrap_or_else(|| check.status.clone());
    check.details_url = text("details_url").or_else(|| check.details_url.take());
    check.external_id = text("external_id").unwrap_or_else(|| check.external_id.clone());
    check.started_at = instant("started_at").map_err(bad("started_at"))?.unwrap_or(check.started_at);
    if let Some(conclusion) = text("conclusion") {
        if !CONCLUSIONS.contains(&conclusion.as_str()) {
            return Err(invalid("CheckRun", "conclusion", "invalid"));
        }
        check.status = "completed".to_owned();
        check.conclusion = Some(conclusion);
        check.completed_at = Some(instant("completed_at").map_err(bad("completed_at"))?.unwrap_or(now));
    }
    if check.status == "completed" && check.conclusion.is_none() {
        return Err(invalid("CheckRun", "conclusion", "missing_field"));
    }
    if fields.get("output").is_object() {
        check.output = fields.get("output").clone();
    }
    Ok(())
}
