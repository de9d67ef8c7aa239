"""From an empty repository over files, git objects and a branch to a reviewed and merged pull request."""

import os

import github
from github import Auth, Github, GithubException, InputGitTreeElement, UnknownObjectException

URL = os.environ["TWIN_URL"]
# Without these the SDK waits a second between writes, for the sake of the real service.
FAST = {"seconds_between_requests": 0, "seconds_between_writes": 0}
octocat = Github(auth=Auth.Token("ghp_octocat"), base_url=URL, **FAST)
hubot = Github(auth=Auth.Token("ghp_hubot"), base_url=URL + "/api/v3", **FAST)

me = octocat.get_user()
assert me.login == "octocat" and me.name == "The Octocat", me.raw_data
assert octocat.get_user("hubot").type == "User"
acme = octocat.get_organization("acme")
assert [member.login for member in acme.get_members()] == ["octocat"]
assert [org.login for org in me.get_orgs()] == ["acme"]

repo = me.create_repo("tool", description="A tool", auto_init=True)
assert repo.default_branch == "main" and repo.clone_url == f"{URL}/octocat/tool.git"
assert acme.create_repo("crate").full_name == "acme/crate"
assert {each.full_name for each in acme.get_repos()} >= {"acme/shop", "acme/crate"}
assert "octocat/tool" in [each.full_name for each in me.get_repos()]
assert [each.name for each in octocat.get_user("octocat").get_repos()] == ["tool"]
repo.edit(description="A sharp tool", homepage="https://example.com")
assert octocat.get_repo("octocat/tool").description == "A sharp tool"
repo.replace_topics(["rust", "git"])
assert repo.get_topics() == ["rust", "git"]

# Files, one commit each.
assert repo.get_readme().decoded_content == b"# tool\nA tool\n"
made = repo.create_file("src/main.rs", "Add main", "fn main() {}\n")
file = repo.get_contents("src/main.rs")
assert file.decoded_content == b"fn main() {}\n" and file.sha == made["content"].sha
changed = repo.update_file("src/main.rs", "Say hello", 'fn main() { println!("hello"); }\n', file.sha)
assert changed["commit"].sha == repo.get_branch("main").commit.sha
try:
    repo.update_file("src/main.rs", "Too late", "x", file.sha)
    raise SystemExit("a stale write went through")
except GithubException as error:
    assert error.status == 409, error
repo.create_file("scrap.txt", "Add scrap", "scrap")
repo.delete_file("scrap.txt", "Remove scrap", repo.get_contents("scrap.txt").sha)
assert sorted(entry.path for entry in repo.get_contents("")) == ["README.md", "src"]
try:
    repo.get_contents("scrap.txt")
    raise SystemExit("a deleted file is still there")
except UnknownObjectException as error:
    assert error.status == 404

# The same by hand: blob, tree, commit, ref.
base = repo.get_branch("main").commit
blob = repo.create_git_blob("one\ntwo\n", "utf-8")
assert repo.get_git_blob(blob.sha).size == 8
element = InputGitTreeElement("docs/list.txt", "100644", "blob", sha=blob.sha)
tree = repo.create_git_tree([element], repo.get_git_tree(base.sha))
paths = [entry.path for entry in repo.get_git_tree(tree.sha, recursive=True).tree]
assert paths == ["README.md", "docs", "docs/list.txt", "src", "src/main.rs"], paths
commit = repo.create_git_commit("Add a list", tree, [repo.get_git_commit(base.sha)])
ref = repo.create_git_ref("refs/heads/lists", commit.sha)
assert repo.get_git_ref("heads/lists").object.sha == commit.sha
assert [each.ref for each in repo.get_git_matching_refs("heads/li")] == ["refs/heads/lists"]
assert sorted(branch.name for branch in repo.get_branches()) == ["lists", "main"]
tag = repo.create_git_tag("v1", "First", commit.sha, "commit")
repo.create_git_ref("refs/tags/v1", tag.sha)
assert repo.get_git_tag(tag.sha).message == "First"
assert [(each.name, each.commit.sha) for each in repo.get_tags()] == [("v1", commit.sha)]
comparison = repo.compare("main", "lists")
assert (comparison.status, comparison.ahead_by, comparison.files[0].filename) == ("ahead", 1, "docs/list.txt")
assert [each.commit.message for each in repo.get_commits(sha="lists")][0] == "Add a list"
assert repo.get_commit(commit.sha).stats.additions == 2

# Statuses and checks.
repo.get_commit(commit.sha).create_status("pending", context="ci/build")
repo.get_commit(commit.sha).create_status("success", description="fine", context="ci/build")
assert repo.get_commit(commit.sha).get_combined_status().state == "success"
assert [status.state for status in repo.get_commit(commit.sha).get_statuses()] == ["success", "pending"]
run = repo.create_check_run("lint", commit.sha, status="in_progress")
run.edit(status="completed", conclusion="success", output={"title": "Lint", "summary": "clean"})
assert repo.get_check_run(run.id).conclusion == "success"
assert [each.name for each in repo.get_commit(commit.sha).get_check_runs()] == ["lint"]

# A pull request, reviewed by somebody else.
repo.add_to_collaborators("hubot", "push")
assert repo.has_in_collaborators("hubot") and repo.get_collaborator_permission("hubot") == "write"
assert sorted(each.login for each in repo.get_collaborators()) == ["hubot", "octocat"]
pull = repo.create_pull(base="main", head="lists", title="A list", body="It was missing.")
assert pull.mergeable and pull.commits == 1 and [file.filename for file in pull.get_files()] == ["docs/list.txt"]
assert [each.sha for each in pull.get_commits()] == [commit.sha]
pull.create_review_request(["hubot"])
assert [user.login for user in pull.get_review_requests()[0]] == ["hubot"]
pull.delete_review_request(["hubot"])
assert not list(pull.get_review_requests()[0])
pull.create_review_request(["hubot"])
theirs = hubot.get_repo("octocat/tool").get_pull(pull.number)
review = theirs.create_review(
    body="Sort it", event="REQUEST_CHANGES", comments=[{"path": "docs/list.txt", "line": 1, "body": "one?"}]
)
assert review.state == "CHANGES_REQUESTED"
first = next(iter(pull.get_review_comments()))
assert (first.path, first.body) == ("docs/list.txt", "one?")
reply = pull.create_review_comment_reply(first.id, "Yes.")
assert reply.in_reply_to_id == first.id
pull.create_review_comment("Looks right", repo.get_commit(commit.sha), "docs/list.txt", line=2)
assert pull.get_review_comment(reply.id).body == "Yes."
reply.edit("Indeed.")
reply.delete()
assert len(list(pull.get_single_review_comments(review.id))) == 1
review.dismiss("Sorted out")
try:
    pull.create_review(event="APPROVE")
    raise SystemExit("an author approved himself")
except GithubException as error:
    assert error.status == 422
pending = theirs.create_review(body="wait")
theirs.get_review(pending.id).delete()
assert theirs.create_review(event="APPROVE").state == "APPROVED"
assert [each.state for each in pull.get_reviews()][-1] == "APPROVED"
pull.edit(title="A sorted list")
repo.create_file("news.txt", "Meanwhile", "news\n")
assert pull.update_branch() is True
pull = repo.get_pull(pull.number)
result = pull.merge(merge_method="squash", commit_title="Add the list")
assert result.merged and pull.is_merged() and repo.get_pull(pull.number).merged_by.login == "octocat"
assert repo.get_commit(result.sha).commit.message.startswith("Add the list")
try:
    pull.merge()
    raise SystemExit("it was merged twice")
except GithubException as error:
    assert error.status == 405, error
ref.delete()
assert [each.number for each in repo.get_pulls(state="closed")] == [pull.number]
repo.create_git_ref("refs/heads/side", repo.get_branch("main").commit.sha)
repo.get_git_ref("heads/side").edit(repo.get_branch("main").commit.sha)
repo.create_file("side.txt", "On the side", "x", branch="side")
assert repo.merge("main", "side").commit.message == "Merge side into main"

# A fork, and its end.
fork = hubot.get_repo("octocat/tool").create_fork()
assert fork.full_name == "hubot/tool" and fork.parent.full_name == "octocat/tool"
assert [each.full_name for each in repo.get_forks()] == ["hubot/tool"]
fork.delete()
repo.remove_from_collaborators("hubot")
assert [item.path for item in octocat.search_code("println repo:octocat/tool")] == ["src/main.rs"]
assert [item.full_name for item in octocat.search_repositories("tool user:octocat")] == ["octocat/tool"]
assert octocat.get_rate_limit().resources.core.limit == 5000
try:
    Github(auth=Auth.Token("ghp_wrong"), base_url=URL).get_user().login
    raise SystemExit("a wrong token was taken")
except github.BadCredentialsException:
    pass
