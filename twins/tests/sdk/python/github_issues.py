"""Triage of 120 issues, page by page, with conditional requests and a rate limit on the way."""

import os

import requests
from github import Auth, Github, GithubException, GithubRetry

URL, ADMIN = os.environ["TWIN_URL"], os.environ["TWIN_ADMIN_URL"]
# Without these the SDK waits a second between writes, for the sake of the real service.
FAST = {"seconds_between_requests": 0, "seconds_between_writes": 0}
client = Github(auth=Auth.Token("ghp_octocat"), base_url=URL, per_page=50, retry=GithubRetry(total=2), **FAST)
repo = client.get_user().create_repo("triage")

urgent = repo.create_label("urgent", "ff0000", "now")
assert repo.get_label("urgent").color == "ff0000"
milestone = repo.create_milestone("1.0", description="first")
for number in range(1, 121):
    labels = ["bug", "urgent"] if number % 10 == 0 else ["bug"]
    repo.create_issue(f"Issue {number}", body=f"It is the {number}th", labels=labels)
issues = repo.get_issues(state="open")
assert issues.totalCount == 120
assert [issue.number for issue in issues] == list(range(120, 0, -1))
assert [issue.number for issue in repo.get_issues(labels=["urgent"], direction="asc")] == list(range(10, 121, 10))
assert issues.reversed[0].number == 1

issue = repo.get_issue(10)
issue.add_to_assignees("octocat")
assert [user.login for user in issue.assignees] == ["octocat"] or repo.get_issue(10).assignees
assert [user.login for user in repo.get_assignees()] == ["octocat"] and repo.has_in_assignees("octocat")
issue.edit(milestone=milestone, body="Changed")
assert repo.get_issue(10).milestone.title == "1.0"
comment = issue.create_comment("I look into it")
comment.edit("I looked into it")
assert issue.get_comment(comment.id).body == "I looked into it"
assert [each.body for each in issue.get_comments()] == ["I looked into it"]
assert [each.id for each in repo.get_issues_comments()] == [comment.id]
comment.delete()
issue.add_to_labels("help wanted", "brand new")
assert {label.name for label in issue.get_labels()} == {"bug", "urgent", "help wanted", "brand new"}
issue.remove_from_labels("urgent")
issue.set_labels("question")
assert [label.name for label in issue.get_labels()] == ["question"]
issue.delete_labels()
issue.lock("resolved")
issue.unlock()
issue.remove_from_assignees("octocat")
issue.edit(state="closed", state_reason="not_planned")
assert repo.get_issue(10).state_reason == "not_planned" and repo.get_issue(10).closed_by.login == "octocat"
assert repo.get_issues(state="closed").totalCount == 1
urgent.edit("pressing", "00ff00", "soon")
assert "pressing" in [label.name for label in repo.get_issue(20).labels]
repo.get_label("pressing").delete()
assert "pressing" not in [label.name for label in repo.get_labels()]
assert repo.get_milestone(1).closed_issues == 1
milestone.edit("1.0", state="closed")
assert [each.title for each in repo.get_milestones(state="closed")] == ["1.0"]
milestone.delete()
found = client.search_issues("120th repo:octocat/triage is:open")
assert [each.number for each in found] == [120] and found.totalCount == 1

# An answer that has not changed is not sent again.
remaining = lambda: client.get_rate_limit().resources.core.remaining
known, before = repo.get_issue(20), remaining()
assert known.update() is False and remaining() == before
known.create_comment("news")
assert known.update() is True and known.comments == 1

# The secondary limit: the SDK waits as long as it is told, and succeeds.
rule = {"operation": "issues.get", "kind": "rate_limit", "retry_after_s": 1, "first": 1}
assert requests.post(f"{ADMIN}/faults", json=rule).ok
assert repo.get_issue(30).number == 30
try:
    repo.create_issue("")
    raise SystemExit("an issue without a title was made")
except GithubException as error:
    assert error.status == 422 and error.data["errors"][0]["code"] == "missing_field", error
repo.delete()
