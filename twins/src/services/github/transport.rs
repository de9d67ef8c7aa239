//! What `git clone`, `git fetch` and `git push` talk to.

use std::{borrow::Cow, io::Read};

use flate2::read::GzDecoder;

use super::{
    BODY_BYTES_MAX, GitHub,
    changes::Moved,
    git::{receive, upload},
    links::Links,
    model::{Permission, Repo},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    Upload,
    Receive,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Upload => "git-upload-pack",
            Self::Receive => "git-receive-pack",
        }
    }
}

pub(super) fn is_transport(request: &Request) -> bool {
    ["/info/refs", "/git-upload-pack", "/git-receive-pack"].iter().any(|end| request.path.ends_with(end))
}

impl GitHub {
    pub(super) fn advertise_refs(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let service = match request.query["service"].as_str() {
            Some("git-upload-pack") => Service::Upload,
            Some("git-receive-pack") => Service::Receive,
            _ => return Err(plain(403, "Please upgrade your git client.\n")),
        };
        let repo = self.for_git(request, service)?;
        let refs = match service {
            Service::Upload => upload::advertised(&repo.git, &repo.default_branch),
            Service::Receive => receive::advertised(&repo.git),
        };
        Ok(Reply::bytes(200, &format!("application/x-{}-advertisement", service.name()), refs))
    }

    pub(super) fn serve_fetch(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.for_git(request, Service::Upload)?;
        let pack = upload::served(&repo.git, &unpacked(request)?).map_err(|why| plain(400, &format!("{why}\n")))?;
        Ok(Reply::bytes(200, "application/x-git-upload-pack-result", pack))
    }

    pub(super) fn serve_push(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let key = self.for_git(request, Service::Receive)?.key();
        let body = unpacked(request)?;
        let push = receive::Push::read(&body).map_err(|why| plain(400, &format!("{why}\n")))?;
        let default = format!("refs/heads/{}", self.repo(&key).default_branch);
        let allowed = |command: &receive::Command| {
            if command.name == default && command.new == super::git::Oid::ZERO {
                return Err(format!("refusing to delete the current branch: {default}"));
            }
            if command.name.starts_with("refs/pull/") {
                return Err("deny updating a hidden ref".to_owned());
            }
            let known = command.name.starts_with("refs/heads/") || command.name.starts_with("refs/tags/");
            if known { Ok(()) } else { Err("funny refname".to_owned()) }
        };
        let repo = self.repos.get_mut(&key).expect("was just seen");
        let done = push.perform(&mut repo.git, allowed);
        let sender = self.token(request).map(|token| token.login.clone()).unwrap_or_default();
        for (command, outcome) in done.iter().flatten() {
            if outcome.is_ok() {
                let moved = Moved { key: &key, name: &command.name, old: command.old, new: command.new };
                self.ref_moved(context, &Links::of(request), &sender, moved);
            }
        }
        let report = if push.commands.is_empty() { Vec::new() } else { push.report(&done) };
        Ok(Reply::bytes(200, "application/x-git-receive-pack-result", report))
    }

    /// Who may not see a repository is asked who he is, and then told that there is none.
    fn for_git(&self, request: &Request, service: Service) -> Result<&Repo, Reply> {
        let known = self.token(request).is_some();
        let ask = || plain(401, "No anonymous write access.").header("www-authenticate", "Basic realm=\"GitHub\"");
        if service == Service::Receive && !known {
            return Err(ask());
        }
        let repo = match self.visible(request) {
            Ok(repo) => repo,
            Err(_) if !known => return Err(ask()),
            Err(_) => return Err(plain(404, "Repository not found.")),
        };
        if service == Service::Receive && self.granted(repo, request) < Some(Permission::Push) {
            let who = self.token(request).map(|token| token.login.as_str()).unwrap_or_default();
            return Err(plain(403, &format!("Permission to {}.git denied to {who}.", repo.full_name())));
        }
        if service == Service::Receive && repo.archived {
            return Err(plain(403, "This repository was archived so it is read-only."));
        }
        Ok(repo)
    }
}

/// Larger requests come compressed.
fn unpacked(request: &Request) -> Result<Cow<'_, [u8]>, Reply> {
    if request.header("content-encoding") != Some("gzip") {
        return Ok(Cow::Borrowed(&request.body));
    }
    let mut body = Vec::new();
    let read = GzDecoder::new(&request.body[..]).take(BODY_BYTES_MAX as u64).read_to_end(&mut body);
    read.map_err(|_| plain(400, "The body does not unpack.\n"))?;
    Ok(Cow::Owned(body))
}

fn plain(status: u16, text: &str) -> Reply {
    Reply::bytes(status, "text/plain; charset=UTF-8", text.to_owned())
}
