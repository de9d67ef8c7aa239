//! Issues: making, listing, changing, assigning. A pull request is an issue as well.

use std::{cmp::Reverse, collections::BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    GitHub,
    errors::{failed, invalid, not_found},
    links::{Links, paged},
    model::{Closed, Issue, Permission, Repo},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const ASSIGNEES_MAX: usize = 10; // per issue, as the service has it

impl Issue {
    pub(super) fn new(id: u64, number: u64, author: &str, title: String, at: Timestamp) -> Self {
        Self {
            id,
            number,
            author: author.to_owned(),
            title,
            body: None,
            labels: BTreeSet::new(),
            assignees: BTreeSet::new(),
            milestone: None,
            locked: false,
            closed: None,
            created_at: at,
            updated_at: at,
            pull: None,
        }
    }
}

/// Names in an array of texts or of objects with a `name`, as the service takes both.
pub(super) fn names(value: &Value) -> Option<BTreeSet<String>> {
    let name = |item: &Value| item.as_str().or_else(|| item["name"].as_str()).map(str::to_owned);
    value.as_array().map(|items| items.iter().filter_map(name).collect())
}

impl GitHub {
    pub(super) fn create_issue(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let caller = self.caller(request)?.login.clone();
        let repo = self.visible(request)?;
        if !repo.has_issues {
            return Err(failed(410, "Issues has been disabled in this repository."));
        }
        let key = repo.key();
        let title = fields.get("title").as_str().map(str::to_owned).filter(|title| !title.trim().is_empty());
        let title = title.ok_or_else(|| invalid("Issue", "title", "missing_field"))?;
        let (id, number) = (self.next_id(), repo_mut(self, &key).take_number());
        let mut issue = Issue::new(id, number, &caller, title, context.now);
        issue.body = fields.get("body").as_str().map(str::to_owned);
        repo_mut(self, &key).issues.insert(&number.to_string(), issue);
        // Only those who may triage decide about labels and the like; what others send is dropped in silence.
        if self.granted(self.repo(&key), request) >= Some(Permission::Triage) {
            self.triage(request, &key, number)?;
        }
        self.announce_issue(context, request, &key, number, "opened", json!({}));
        let repo = self.repo(&key);
        let issue = repo.issue(&number.to_string()).ok_or_else(not_found)?;
        Ok(Reply::json(201, &self.issue_json(&Links::of(request), repo, issue)))
    }

    /// Labels, assignees and milestone of the request.
    fn triage(&mut self, request: &Request, key: &str, number: u64) -> Result<(), Reply> {
        let fields = request.tracked();
        if let Some(labels) = names(fields.get("labels")) {
            self.set_labels_of(key, number, labels);
        }
        let single = fields.get("assignee").as_str().map(|login| BTreeSet::from([login.to_owned()]));
        if let Some(logins) = names(fields.get("assignees")).or(single) {
            let assignable = self.assignable(key, logins);
            issue_mut(self, key, number)?.assignees = assignable;
        }
        match fields.get("milestone") {
            Value::Null => {
                if fields.names().any(|name| name == "milestone") {
                    issue_mut(self, key, number)?.milestone = None;
                }
            }
            milestone => {
                let wanted = milestone.as_u64().or_else(|| milestone.as_str()?.parse().ok());
                let known = wanted.filter(|number| self.repo(key).milestones.contains(&number.to_string()));
                issue_mut(self, key, number)?.milestone =
                    Some(known.ok_or_else(|| invalid("Issue", "milestone", "invalid"))?);
            }
        }
        Ok(())
    }

    /// Unknown labels are made on the way.
    pub(super) fn set_labels_of(&mut self, key: &str, number: u64, labels: BTreeSet<String>) {
        let mut known = BTreeSet::new();
        for name in labels {
            let id = self.next_id();
            let repo = repo_mut(self, key);
            repo.ensure_label(id, &name);
            known.extend(repo.labels.get(&name.to_lowercase()).map(|label| label.name.clone()));
        }
        if let Some(issue) = repo_mut(self, key).issues.get_mut(&number.to_string()) {
            issue.labels = known;
        }
    }

    fn assignable(&self, key: &str, logins: BTreeSet<String>) -> BTreeSet<String> {
        let repo = self.repo(key);
        let known = logins.iter().filter(|login| self.is_assignable(repo, login));
        known.filter_map(|login| self.account(login)).map(|it| it.login.clone()).take(ASSIGNEES_MAX).collect()
    }

    pub(super) fn is_assignable(&self, repo: &Repo, login: &str) -> bool {
        let person = self.account(login).is_some_and(|account| !account.is_organization());
        person && self.permission(repo, login) > Some(Permission::Pull)
    }

    pub(super) fn get_issue(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let issue = repo.issue(request.param("number")).ok_or_else(not_found)?;
        Ok(Reply::json(200, &self.issue_json(&Links::of(request), repo, issue)))
    }

    pub(super) fn update_issue(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = request.tracked();
        let caller = self.caller(request)?.login.clone();
        let repo = self.visible(request)?;
        let (key, issue) = (repo.key(), repo.issue(request.param("number")).ok_or_else(not_found)?);
        let number = issue.number;
        let triages = self.granted(repo, request) >= Some(Permission::Triage);
        if !triages && issue.author != caller {
            return Err(failed(403, "Must have admin rights to Repository."));
        }
        let before = issue.clone();
        let state = fields.get("state").as_str();
        if state.is_some_and(|state| !matches!(state, "open" | "closed")) {
            return Err(invalid("Issue", "state", "invalid"));
        }
        let issue = issue_mut(self, &key, number)?;
        if let Some(title) = fields.get("title").as_str() {
            title.clone_into(&mut issue.title);
        }
        if fields.names().any(|name| name == "body") {
            issue.body = fields.get("body").as_str().map(str::to_owned);
        }
        issue.updated_at = context.now;
        if triages {
            self.triage(request, &key, number)?;
        }
        let links = Links::of(request);
        match state {
            Some("closed") if before.is_open() => {
                let reason = fields.get("state_reason").as_str().unwrap_or("completed");
                self.close_issue(context, &links, &key, number, &caller, reason);
            }
            Some("open") if !before.is_open() => {
                issue_mut(self, &key, number)?.closed = None;
                self.announce_issue(context, request, &key, number, "reopened", json!({}));
            }
            _ => {}
        }
        self.announce_changes(context, request, &key, &before);
        let repo = self.repo(&key);
        let issue = repo.issue(&number.to_string()).ok_or_else(not_found)?;
        Ok(Reply::json(200, &self.issue_json(&links, repo, issue)))
    }

    /// `edited`, `labeled`, `assigned` and their opposites, by what differs.
    pub(super) fn announce_changes(&self, context: &mut Context<'_>, request: &Request, key: &str, before: &Issue) {
        let (repo, links, number) = (self.repo(key), Links::of(request), before.number);
        let Some(after) = repo.issue(&number.to_string()) else { return };
        if before.title != after.title || before.body != after.body {
            let mut changes = json!({});
            if before.title != after.title {
                changes["title"] = json!({"from": before.title});
            }
            if before.body != after.body {
                changes["body"] = json!({"from": before.body});
            }
            self.announce_issue(context, request, key, number, "edited", json!({"changes": changes}));
        }
        let label = |name: &String| {
            let label = repo.labels.get(&name.to_lowercase());
            json!({"label": label.map(|label| self.label_json(&links, repo, label))})
        };
        let who = |login: &String| json!({"assignee": self.user(&links, login)});
        for (action, more) in after
            .labels
            .difference(&before.labels)
            .map(|name| ("labeled", label(name)))
            .chain(before.labels.difference(&after.labels).map(|name| ("unlabeled", label(name))))
            .chain(after.assignees.difference(&before.assignees).map(|login| ("assigned", who(login))))
            .chain(before.assignees.difference(&after.assignees).map(|login| ("unassigned", who(login))))
        {
            self.announce_issue(context, request, key, number, action, more);
        }
    }

    pub(super) fn announce_issue(
        &self,
        context: &mut Context<'_>,
        request: &Request,
        key: &str,
        number: u64,
        action: &str,
        more: Value,
    ) {
        let sender = self.token(request).map(|token| token.login.clone()).unwrap_or_default();
        self.announce_issue_by(context, &Links::of(request), key, number, action, &sender, more);
    }

    #[expect(clippy::too_many_arguments, reason = "an event has these parts")]
    fn announce_issue_by(
        &self,
        context: &mut Context<'_>,
        links: &Links,
        key: &str,
        number: u64,
        action: &str,
        sender: &str,
        more: Value,
    ) {
        let repo = self.repo(key);
        let Some(issue) = repo.issue(&number.to_string()) else { return };
        if issue.pull.is_some() {
            return self.announce_pull(context, links, key, number, action, sender, more);
        }
        let mut payload = json!({"action": action, "issue": self.issue_json(links, repo, issue)});
        super::show::extend(&mut payload, more);
        self.announce_by(context, links, key, "issues", payload, sender);
    }

    pub(super) fn close_issue(
        &mut self,
        context: &mut Context<'_>,
        links: &Links,
        key: &str,
        number: u64,
        by: &str,
        reason: &str,
    ) {
        let Ok(issue) = issue_mut(self, key, number) else { return };
        issue.closed = Some(Closed { at: context.now, by: by.to_owned(), reason: reason.to_owned() });
        issue.updated_at = context.now;
        self.announce_issue_by(context, links, key, number, "closed", by, json!({}));
    }

    pub(super) fn list_issues(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let rows = filtered(self, request, repo.issues.newest_first().map(|issue| (repo, issue)).collect())?;
        let links = Links::of(request);
        Ok(paged(request, rows, |(repo, issue)| self.issue_json(&links, repo, issue)))
    }

    /// Of all repositories, those that concern the caller.
    pub(super) fn list_own_issues(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let caller = self.caller(request)?.login.clone();
        let repos = self.repos.oldest_first().filter(|repo| self.granted(repo, request).is_some());
        let all = repos.flat_map(|repo| repo.issues.newest_first().map(move |issue| (repo, issue)));
        let mine = |(_, issue): &(&Repo, &Issue)| match request.query["filter"].as_str() {
            Some("created") => issue.author == caller,
            Some("all" | "repos" | "subscribed") => true,
            _ => issue.assignees.contains(&caller),
        };
        let rows = filtered(self, request, all.filter(mine).collect())?;
        let links = Links::of(request);
        let shown = |(repo, issue): (&Repo, &Issue)| {
            let mut shown = self.issue_json(&links, repo, issue);
            shown["repository"] = self.repo_json(&links, repo, None);
            shown
        };
        Ok(paged(request, rows, shown))
    }

    pub(super) fn add_assignees(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        self.change_assignees(context, request, 201, |old, asked| old.union(asked).cloned().collect())
    }

    pub(super) fn remove_assignees(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        self.change_assignees(context, request, 200, |old, asked| old.difference(asked).cloned().collect())
    }

    fn change_assignees(
        &mut self,
        context: &mut Context<'_>,
        request: &Request,
        status: u16,
        change: fn(&BTreeSet<String>, &BTreeSet<String>) -> BTreeSet<String>,
    ) -> Answer {
        let asked = names(request.tracked().get("assignees")).unwrap_or_default();
        let repo = &*self.writable(request, Permission::Triage)?;
        let before = repo.issue(request.param("number")).ok_or_else(not_found)?.clone();
        let key = repo.key();
        let wanted = self.assignable(&key, change(&before.assignees, &asked));
        let issue = issue_mut(self, &key, before.number)?;
        (issue.assignees, issue.updated_at) = (wanted, context.now);
        self.announce_changes(context, request, &key, &before);
        let repo = self.repo(&key);
        let issue = repo.issue(request.param("number")).ok_or_else(not_found)?;
        Ok(Reply::json(status, &self.issue_json(&Links::of(request), repo, issue)))
    }

    pub(super) fn lock_issue(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.writable(request, Permission::Triage)?;
        let issue = repo.issues.get_mut(request.param("number")).ok_or_else(not_found)?;
        (issue.locked, issue.updated_at) = (request.method == "PUT", context.now);
        Ok(Reply::empty(204))
    }
}

impl Repo {
    /// The next number of an issue or a pull request.
    pub(super) fn take_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

pub(super) fn repo_mut<'g>(github: &'g mut GitHub, key: &str) -> &'g mut Repo {
    github.repos.get_mut(key).expect("was looked up in this request")
}

pub(super) fn issue_mut<'g>(github: &'g mut GitHub, key: &str, number: u64) -> Result<&'g mut Issue, Reply> {
    repo_mut(github, key).issues.get_mut(&number.to_string()).ok_or_else(not_found)
}

type Row<'g> = (&'g Repo, &'g Issue);

/// What the query wants, in its order. Rows come newest first.
fn filtered<'g>(github: &GitHub, request: &Request, mut rows: Vec<Row<'g>>) -> Result<Vec<Row<'g>>, Reply> {
    let query = |name: &str| request.query[name].as_str().filter(|value| !value.is_empty());
    let state = query("state").unwrap_or("open");
    if !matches!(state, "open" | "closed" | "all") {
        return Err(invalid("Issue", "state", "invalid"));
    }
    rows.retain(|(_, issue)| state == "all" || issue.state() == state);
    if let Some(labels) = query("labels") {
        let has =
            |issue: &Issue, wanted: &str| issue.labels.iter().any(|name| name.eq_ignore_ascii_case(wanted.trim()));
        rows.retain(|(_, issue)| labels.split(',').all(|wanted| has(issue, wanted)));
    }
    match query("assignee") {
        Some("none") => rows.retain(|(_, issue)| issue.assignees.is_empty()),
        Some("*") => rows.retain(|(_, issue)| !issue.assignees.is_empty()),
        Some(login) => {
            github.account(login).ok_or_else(|| invalid("Issue", "assignee", "invalid"))?;
            rows.retain(|(_, issue)| issue.assignees.iter().any(|it| it.eq_ignore_ascii_case(login)));
        }
        None => {}
    }
    if let Some(creator) = query("creator") {
        rows.retain(|(_, issue)| issue.author.eq_ignore_ascii_case(creator));
    }
    match query("milestone") {
        Some("none") => rows.retain(|(_, issue)| issue.milestone.is_none()),
        Some("*") => rows.retain(|(_, issue)| issue.milestone.is_some()),
        Some(number) => rows.retain(|(_, issue)| issue.milestone.map(|it| it.to_string()).as_deref() == Some(number)),
        None => {}
    }
    if let Some(since) = query("since") {
        let since: Timestamp = since.parse().map_err(|_| invalid("Issue", "since", "invalid"))?;
        rows.retain(|(_, issue)| issue.updated_at >= since);
    }
    match query("sort") {
        Some("updated") => rows.sort_by_key(|(_, issue)| Reverse((issue.updated_at, issue.id))),
        Some("comments") => rows.sort_by_key(|(repo, issue)| {
            Reverse(repo.comments.oldest_first().filter(|it| it.number == issue.number).count())
        }),
        _ => rows.sort_by_key(|(_, issue)| Reverse((issue.created_at, issue.id))),
    }
    if query("direction") == Some("asc") {
        rows.reverse();
    }
    Ok(rows)
}
