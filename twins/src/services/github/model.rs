//! What the service remembers. Rows are plain data; how they read over the wire is said in `show`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::git::{Oid, Store};
use crate::engine::table::Table;

/// A person, a bot or an organization.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) site_admin: bool,
    /// Of an organization.
    pub(super) members: Option<BTreeSet<String>>,
}

impl Account {
    pub(super) fn is_organization(&self) -> bool {
        self.members.is_some()
    }

    /// The address that commits made over REST carry.
    pub(super) fn commit_email(&self) -> String {
        let own = self.email.clone();
        own.unwrap_or_else(|| format!("{}+{}@users.noreply.github.com", self.id, self.login))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) login: String,
    pub(super) scopes: Vec<String>,
    pub(super) expires_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Permission {
    Pull,
    Triage,
    Push,
    Maintain,
    Admin,
}

impl Permission {
    pub(super) const ALL: [Self; 5] = [Self::Pull, Self::Triage, Self::Push, Self::Maintain, Self::Admin];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Triage => "triage",
            Self::Push => "push",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.name() == name)
    }
}

#[derive(Clone)]
pub(super) struct Repo {
    pub(super) id: u64,
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) homepage: Option<String>,
    pub(super) private: bool,
    pub(super) archived: bool,
    pub(super) has_issues: bool,
    pub(super) has_wiki: bool,
    pub(super) default_branch: String,
    pub(super) topics: Vec<String>,
    /// The key of what it was forked from.
    pub(super) parent: Option<String>,
    pub(super) collaborators: BTreeMap<String, Permission>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) pushed_at: Timestamp,
    pub(super) git: Store,
    /// Issues and pull requests by number, which they share.
    pub(super) issues: Table<Issue>,
    pub(super) last_number: u64,
    pub(super) comments: Table<Comment>,
    pub(super) reviews: Table<Review>,
    pub(super) labels: Table<Label>,
    pub(super) milestones: Table<Milestone>,
    pub(super) last_milestone: u64,
    pub(super) statuses: Table<Status>,
    pub(super) checks: Table<Check>,
    pub(super) hooks: Table<Hook>,
}

impl Repo {
    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Names are case-insensitive.
    pub(super) fn key(&self) -> String {
        self.full_name().to_lowercase()
    }

    pub(super) fn head(&self) -> Option<Oid> {
        self.git.branch(&self.default_branch)
    }

    pub(super) fn open_issues(&self) -> usize {
        self.issues.oldest_first().filter(|issue| issue.is_open()).count()
    }

    pub(super) fn issue(&self, number: &str) -> Option<&Issue> {
        self.issues.get(number)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Issue {
    pub(super) id: u64,
    pub(super) number: u64,
    pub(super) author: String,
    pub(super) title: String,
    pub(super) body: Option<String>,
    pub(super) labels: BTreeSet<String>,
    pub(super) assignees: BTreeSet<String>,
    pub(super) milestone: Option<u64>,
    pub(super) locked: bool,
    pub(super) closed: Option<Closed>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) pull: Option<Pull>,
}

#[derive(Clone, Debug)]
pub(super) struct Closed {
    pub(super) at: Timestamp,
    pub(super) by: String,
    pub(super) reason: String,
}

impl Issue {
    pub(super) fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    pub(super) fn state(&self) -> &'static str {
        if self.is_open() { "open" } else { "closed" }
    }
}

/// What an issue has besides when it is a pull request.
#[derive(Clone, Debug)]
pub(super) struct Pull {
    pub(super) base: String,
    pub(super) base_sha: Oid,
    /// The key of the repository that the head is in.
    pub(super) head_repo: String,
    pub(super) head_owner: String,
    pub(super) head: String,
    pub(super) head_sha: Oid,
    pub(super) draft: bool,
    pub(super) reviewers: BTreeSet<String>,
    pub(super) merged: Option<Merge>,
}

#[derive(Clone, Debug)]
pub(super) struct Merge {
    pub(super) at: Timestamp,
    pub(super) by: String,
    pub(super) sha: Oid,
}

/// On an issue, or on a line of a pull request.
#[derive(Clone, Debug)]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) number: u64,
    pub(super) author: String,
    pub(super) body: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) line: Option<LineOf>,
}

/// Where a review comment stands.
#[derive(Clone, Debug)]
pub(super) struct LineOf {
    pub(super) review: u64,
    pub(super) path: String,
    pub(super) commit: Oid,
    pub(super) line: Option<u64>,
    pub(super) side: String,
    pub(super) reply_to: Option<u64>,
    pub(super) hunk: String,
}

#[derive(Clone, Debug)]
pub(super) struct Review {
    pub(super) id: u64,
    pub(super) number: u64,
    pub(super) author: String,
    pub(super) body: String,
    pub(super) state: &'static str,
    pub(super) commit: Oid,
    pub(super) submitted_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) color: String,
    pub(super) description: Option<String>,
    pub(super) default: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Milestone {
    pub(super) id: u64,
    pub(super) number: u64,
    pub(super) title: String,
    pub(super) description: Option<String>,
    pub(super) creator: String,
    pub(super) open: bool,
    pub(super) due_on: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) id: u64,
    pub(super) sha: Oid,
    pub(super) state: String,
    pub(super) context: String,
    pub(super) description: Option<String>,
    pub(super) target_url: Option<String>,
    pub(super) creator: String,
    pub(super) created_at: Timestamp,
}

#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) sha: Oid,
    pub(super) status: String,
    pub(super) conclusion: Option<String>,
    pub(super) started_at: Timestamp,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) details_url: Option<String>,
    pub(super) external_id: String,
    pub(super) output: Value,
}

#[derive(Clone, Debug)]
pub(super) struct Hook {
    pub(super) id: u64,
    pub(super) url: String,
    pub(super) secret: Option<String>,
    pub(super) form: bool,
    pub(super) insecure_ssl: String,
    pub(super) events: Vec<String>,
    pub(super) active: bool,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}
