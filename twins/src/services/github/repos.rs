//! Repositories: making, reading, changing, forking and deleting them.

use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    GitHub,
    errors::{failed, invalid, invalid_because, not_found},
    git::{Commit, Kind, MODE_FILE, Oid, Signature, Store},
    links::{Links, paged},
    model::{Account, Label, Permission, Repo},
};
use crate::{
    engine::table::Table,
    http::{Reply, Request},
    twin::{Answer, Context},
};

const NAME_CHARS_MAX: usize = 100; // the service's own limit
const TOPICS_MAX: usize = 20; // the service's own limit
/// What every new repository has: name, color, what for.
const LABELS: [(&str, &str, &str); 9] = [
    ("bug", "d73a4a", "Something isn't working"),
    ("documentation", "0075ca", "Improvements or additions to documentation"),
    ("duplicate", "cfd3d7", "This issue or pull request already exists"),
    ("enhancement", "a2eeef", "New feature or request"),
    ("good first issue", "7057ff", "Good for newcomers"),
    ("help wanted", "008672", "Extra attention is needed"),
    ("invalid", "e4e669", "This doesn't seem right"),
    ("question", "d876e3", "Further information is requested"),
    ("wontfix", "ffffff", "This will not be worked on"),
];

/// What a repository cannot be without.
pub(super) struct NewRepo {
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) default_branch: String,
}

pub(super) fn encoded(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

impl Repo {
    /// The default branch with one commit of `tree`.
    pub(super) fn first_commit(&mut self, tree: Oid, who: &Signature, message: &str) {
        let (author, committer, message) = (who.clone(), who.clone(), message.to_owned());
        let commit = self.git.put_commit(&Commit { tree, parents: Vec::new(), author, committer, message });
        self.git.set_ref(&format!("refs/heads/{}", self.default_branch), commit);
    }

    pub(super) fn ensure_label(&mut self, id: u64, name: &str) {
        if !self.labels.contains(&name.to_lowercase()) {
            let (name, color) = (name.to_owned(), "ededed".to_owned());
            let label = Label { id, name, color, description: None, default: false };
            self.labels.insert(&label.name.to_lowercase(), label);
        }
    }
}

impl GitHub {
    pub(super) fn new_repo(&mut self, new: NewRepo, at: Timestamp) -> Repo {
        let NewRepo { owner, name, default_branch } = new;
        let mut labels = Table::default();
        for (name, color, description) in LABELS {
            let (name, color, description) = (name.to_owned(), color.to_owned(), Some(description.to_owned()));
            labels.insert(&name.clone(), Label { id: self.next_id(), name, color, description, default: true });
        }
        Repo {
            id: self.next_id(),
            owner,
            name,
            description: None,
            homepage: None,
            private: false,
            archived: false,
            has_issues: true,
            has_wiki: true,
            default_branch,
            topics: Vec::new(),
            parent: None,
            collaborators: std::collections::BTreeMap::new(),
            created_at: at,
            updated_at: at,
            pushed_at: at,
            git: Store::default(),
            issues: Table::default(),
            last_number: 0,
            comments: Table::default(),
            reviews: Table::default(),
            labels,
            milestones: Table::default(),
            last_milestone: 0,
            statuses: Table::default(),
            checks: Table::default(),
            hooks: Table::default(),
        }
    }

    pub(super) fn create_own_repo(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let owner = self.caller(request)?.clone();
        self.create_repo(context, request, &owner)
    }

    pub(super) fn create_org_repo(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let caller = self.caller(request)?.login.clone();
        let owner = self.named_account(request.param("org"))?.clone();
        let members = owner.members.as_ref().ok_or_else(not_found)?;
        if !members.iter().any(|member| member.eq_ignore_ascii_case(&caller)) {
            return Err(failed(403, "You need admin access to the organization before adding a repository to it."));
        }
        self.create_repo(context, request, &owner)
    }

    fn create_repo(&mut self, context: &mut Context<'_>, request: &Request, owner: &Account) -> Answer {
        let fields = request.tracked();
        let wanted = fields.get("name").as_str().unwrap_or_default().trim();
        let name = sanitized(wanted);
        if name.is_empty() {
            return Err(invalid("Repository", "name", "missing_field"));
        }
        if name.chars().count() > NAME_CHARS_MAX {
            let message = format!("name is too long (maximum is {NAME_CHARS_MAX} characters)");
            return Err(invalid_because("Repository", "name", &message));
        }
        let (login, default_branch) = (owner.login.clone(), "main".to_owned());
        let mut repo = self.new_repo(NewRepo { owner: login, name, default_branch }, context.now);
        if self.repos.contains(&repo.key()) {
            return Err(invalid_because("Repository", "name", "name already exists on this account"));
        }
        describe(&mut repo, request);
        if fields.get("auto_init").as_bool() == Some(true) {
            let caller = self.caller(request)?;
            let who =
                Signature::new(caller.name.as_deref().unwrap_or(&caller.login), &caller.commit_email(), context.now);
            let text = match &repo.description {
                Some(description) => format!("# {}\n{description}\n", repo.name),
                None => format!("# {}\n", repo.name),
            };
            let blob = repo.git.put(Kind::Blob, text);
            let tree = repo.git.with_path(None, "README.md", Some((MODE_FILE, blob)));
            repo.first_commit(tree, &who, "Initial commit");
        }
        let key = repo.key();
        self.repos.insert(&key, repo);
        self.announce(context, request, &key, "repository", json!({"action": "created"}));
        let shown = self.full_repo_json(&Links::of(request), self.repo(&key), Some(Permission::Admin));
        Ok(Reply::json(201, &shown))
    }

    pub(super) fn get_repo(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.visible(request)?;
        let permission = self.token(request).and_then(|_| self.granted(repo, request));
        Ok(Reply::json(200, &self.full_repo_json(&Links::of(request), repo, permission)))
    }

    pub(super) fn update_repo(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let old = self.writable(request, Permission::Admin)?.key();
        let fields = request.tracked();
        let mut repo = self.repo(&old).clone();
        if let Some(name) = fields.get("name").as_str() {
            repo.name = sanitized(name);
        }
        if let Some(branch) = fields.get("default_branch").as_str() {
            if repo.git.branch(branch).is_none() {
                let message = format!("The branch {branch} was not found. Please push that ref first or create it.");
                return Err(invalid_because("Repository", "default_branch", &message));
            }
            repo.default_branch = branch.to_owned();
        }
        describe(&mut repo, request);
        repo.updated_at = context.now;
        let key = repo.key();
        if key != old && self.repos.contains(&key) {
            return Err(invalid_because("Repository", "name", "name already exists on this account"));
        }
        self.repos.remove(&old);
        self.repos.insert(&key, repo);
        let shown = self.full_repo_json(&Links::of(request), self.repo(&key), Some(Permission::Admin));
        Ok(Reply::json(200, &shown))
    }

    pub(super) fn delete_repo(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let key = self.writable(request, Permission::Admin)?.key();
        let allowed = self.token(request).is_some_and(|token| token.scopes.iter().any(|scope| scope == "delete_repo"));
        if !allowed {
            return Err(failed(403, "Must have admin rights to Repository."));
        }
        self.announce(context, request, &key, "repository", json!({"action": "deleted"}));
        self.repos.remove(&key);
        self.refresh_endpoints();
        Ok(Reply::empty(204))
    }

    pub(super) fn list_own_repos(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let caller = self.caller(request)?.login.clone();
        let mine = |repo: &&Repo| self.permission(repo, &caller) > Some(Permission::Pull);
        self.list_repos(request, self.repos.oldest_first().filter(mine).collect())
    }

    pub(super) fn list_user_repos(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let owner = self.named_account(request.param("username"))?.login.clone();
        self.list_repos(request, self.repos.oldest_first().filter(|repo| repo.owner == owner).collect())
    }

    pub(super) fn list_org_repos(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let owner = self.named_account(request.param("org"))?.login.clone();
        self.list_repos(request, self.repos.oldest_first().filter(|repo| repo.owner == owner).collect())
    }

    fn list_repos(&self, request: &Request, mut rows: Vec<&Repo>) -> Answer {
        rows.retain(|repo| self.granted(repo, request).is_some());
        match request.query["sort"].as_str() {
            Some("created") => rows.sort_by_key(|repo| std::cmp::Reverse((repo.created_at, repo.id))),
            Some("updated") => rows.sort_by_key(|repo| std::cmp::Reverse((repo.updated_at, repo.id))),
            Some("pushed") => rows.sort_by_key(|repo| std::cmp::Reverse((repo.pushed_at, repo.id))),
            _ => rows.sort_by_key(|repo| repo.key()),
        }
        if request.query["direction"].as_str().is_some_and(|direction| {
            (direction == "desc") == request.query["sort"].as_str().is_none_or(|sort| sort == "full_name")
        }) {
            rows.reverse();
        }
        let links = Links::of(request);
        let permission = |repo: &Repo| self.token(request).and_then(|_| self.granted(repo, request));
        Ok(paged(request, rows, |repo| self.repo_json(&links, repo, permission(repo))))
    }

    pub(super) fn list_forks(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let key = self.visible(request)?.key();
        let forks = self.repos.newest_first().filter(|repo| repo.parent.as_ref() == Some(&key)).collect();
        self.list_repos(request, forks)
    }

    pub(super) fn create_fork(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let parent = self.visible(request)?.clone();
        let caller = self.caller(request)?.login.clone();
        let fields = request.tracked();
        let owner = fields
            .get("organization")
            .as_str()
            .map_or(Ok(caller), |org| self.named_account(org).map(|account| account.login.clone()))?;
        let name = fields.get("name").as_str().map_or_else(|| parent.name.clone(), sanitized);
        let mut fork =
            self.new_repo(NewRepo { owner, name, default_branch: parent.default_branch.clone() }, context.now);
        if let Some(known) = self.repos.get(&fork.key()).filter(|known| known.parent.as_ref() == Some(&parent.key())) {
            let shown = self.full_repo_json(&Links::of(request), known, Some(Permission::Admin));
            return Ok(Reply::json(202, &shown)); // forking twice gives the first fork
        }
        if self.repos.contains(&fork.key()) {
            return Err(failed(403, "The name of the fork is taken by another repository."));
        }
        (fork.git, fork.private) = (parent.git.clone(), parent.private);
        (fork.description, fork.parent) = (parent.description.clone(), Some(parent.key()));
        fork.has_issues = false;
        let key = fork.key();
        self.repos.insert(&key, fork);
        let links = Links::of(request);
        let shown = self.full_repo_json(&links, self.repo(&key), Some(Permission::Admin));
        let forkee = self.repo_json(&links, self.repo(&key), None);
        self.announce(context, request, &parent.key(), "fork", json!({"forkee": forkee}));
        Ok(Reply::json(202, &shown))
    }

    pub(super) fn get_topics(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        Ok(Reply::json(200, &json!({"names": self.visible(request)?.topics})))
    }

    pub(super) fn replace_topics(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let names =
            request.tracked().get("names").as_array().ok_or_else(|| invalid("Repository", "names", "missing"))?;
        let names: Vec<String> = names.iter().filter_map(Value::as_str).map(str::to_lowercase).collect();
        if names.len() > TOPICS_MAX {
            return Err(invalid("Repository", "topics", "invalid"));
        }
        self.writable(request, Permission::Admin)?.topics.clone_from(&names);
        Ok(Reply::json(200, &json!({"names": names})))
    }
}

/// Fields that creating and changing a repository have in common.
fn describe(repo: &mut Repo, request: &Request) {
    let fields = request.tracked();
    let text = |name: &str, old: &mut Option<String>| {
        let value = fields.get(name);
        if value.is_string() {
            *old = value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        }
    };
    text("description", &mut repo.description);
    text("homepage", &mut repo.homepage);
    let flag = |name: &str, old: &mut bool| *old = fields.get(name).as_bool().unwrap_or(*old);
    flag("private", &mut repo.private);
    flag("has_issues", &mut repo.has_issues);
    flag("has_wiki", &mut repo.has_wiki);
    flag("archived", &mut repo.archived);
    if let Some(visibility) = fields.get("visibility").as_str() {
        repo.private = visibility != "public";
    }
}

/// The service replaces what cannot stand in a name.
fn sanitized(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.trim().chars().map(|c| if fits(c) { c } else { '-' }).collect()
}
