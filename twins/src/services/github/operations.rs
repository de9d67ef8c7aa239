//! Every operation, named as the official Node SDK names it.

use super::GitHub;
use crate::twin::{Operation, operations};

type G = GitHub;

pub(super) const OPERATIONS: &[Operation<G>] = operations! {
    "meta.root" "GET" "/" G::root;
    "rateLimit.get" "GET" "/rate_limit" G::rate_limit;
    "users.getAuthenticated" "GET" "/user" G::get_user;
    "users.getByUsername" "GET" "/users/{username}" G::get_named_user;
    "orgs.listForAuthenticatedUser" "GET" "/user/orgs" G::list_own_orgs;
    "orgs.get" "GET" "/orgs/{org}" G::get_org;
    "orgs.listMembers" "GET" "/orgs/{org}/members" G::list_org_members;
    "apps.createInstallationAccessToken" "POST" "/app/installations/{installation}/access_tokens"
        G::create_installation_token;

    "repos.listForAuthenticatedUser" "GET" "/user/repos" G::list_own_repos;
    "repos.listForUser" "GET" "/users/{username}/repos" G::list_user_repos;
    "repos.listForOrg" "GET" "/orgs/{org}/repos" G::list_org_repos;
    "repos.createForAuthenticatedUser" "POST" "/user/repos" G::create_own_repo;
    "repos.createInOrg" "POST" "/orgs/{org}/repos" G::create_org_repo;
    "repos.get" "GET" "/repos/{owner}/{repo}" G::get_repo;
    "repos.update" "PATCH" "/repos/{owner}/{repo}" G::update_repo;
    "repos.delete" "DELETE" "/repos/{owner}/{repo}" G::delete_repo;
    "repos.listForks" "GET" "/repos/{owner}/{repo}/forks" G::list_forks;
    "repos.createFork" "POST" "/repos/{owner}/{repo}/forks" G::create_fork;
    "repos.getAllTopics" "GET" "/repos/{owner}/{repo}/topics" G::get_topics;
    "repos.replaceAllTopics" "PUT" "/repos/{owner}/{repo}/topics" G::replace_topics;
    "repos.listCollaborators" "GET" "/repos/{owner}/{repo}/collaborators" G::list_collaborators;
    "repos.checkCollaborator" "GET" "/repos/{owner}/{repo}/collaborators/{username}" G::check_collaborator;
    "repos.addCollaborator" "PUT" "/repos/{owner}/{repo}/collaborators/{username}" G::add_collaborator;
    "repos.removeCollaborator" "DELETE" "/repos/{owner}/{repo}/collaborators/{username}" G::remove_collaborator;
    "repos.getCollaboratorPermissionLevel" "GET" "/repos/{owner}/{repo}/collaborators/{username}/permission"
        G::get_permission;

    "repos.getContent" "GET" "/repos/{owner}/{repo}/contents/{*path}" G::get_contents;
    "repos.getContent" "GET" "/repos/{owner}/{repo}/contents" G::get_contents;
    "repos.getContent" "GET" "/repos/{owner}/{repo}/contents/" G::get_contents;
    "repos.createOrUpdateFileContents" "PUT" "/repos/{owner}/{repo}/contents/{*path}" G::put_contents;
    "repos.deleteFile" "DELETE" "/repos/{owner}/{repo}/contents/{*path}" G::delete_contents;
    "repos.getReadme" "GET" "/repos/{owner}/{repo}/readme" G::get_readme;
    "repos.listBranches" "GET" "/repos/{owner}/{repo}/branches" G::list_branches;
    "repos.getBranch" "GET" "/repos/{owner}/{repo}/branches/{*branch}" G::get_branch;
    "repos.listTags" "GET" "/repos/{owner}/{repo}/tags" G::list_tags;
    "repos.merge" "POST" "/repos/{owner}/{repo}/merges" G::merge_branch;
    "repos.listCommits" "GET" "/repos/{owner}/{repo}/commits" G::list_commits;
    "repos.getCommit" "GET" "/repos/{owner}/{repo}/commits/{ref}" G::get_commit;
    "repos.compareCommits" "GET" "/repos/{owner}/{repo}/compare/{*basehead}" G::compare;

    "git.createBlob" "POST" "/repos/{owner}/{repo}/git/blobs" G::create_blob;
    "git.getBlob" "GET" "/repos/{owner}/{repo}/git/blobs/{sha}" G::get_blob;
    "git.createTree" "POST" "/repos/{owner}/{repo}/git/trees" G::create_tree;
    "git.getTree" "GET" "/repos/{owner}/{repo}/git/trees/{*sha}" G::get_tree;
    "git.createCommit" "POST" "/repos/{owner}/{repo}/git/commits" G::create_commit;
    "git.getCommit" "GET" "/repos/{owner}/{repo}/git/commits/{sha}" G::get_git_commit;
    "git.createTag" "POST" "/repos/{owner}/{repo}/git/tags" G::create_tag;
    "git.getTag" "GET" "/repos/{owner}/{repo}/git/tags/{sha}" G::get_tag;
    "git.getRef" "GET" "/repos/{owner}/{repo}/git/ref/{*ref}" G::get_ref;
    "git.listMatchingRefs" "GET" "/repos/{owner}/{repo}/git/matching-refs/{*ref}" G::list_matching_refs;
    "git.listMatchingRefs" "GET" "/repos/{owner}/{repo}/git/matching-refs/" G::list_matching_refs;
    "git.createRef" "POST" "/repos/{owner}/{repo}/git/refs" G::create_ref;
    "git.updateRef" "PATCH" "/repos/{owner}/{repo}/git/refs/{*ref}" G::update_ref;
    "git.deleteRef" "DELETE" "/repos/{owner}/{repo}/git/refs/{*ref}" G::delete_ref;

    "issues.list" "GET" "/issues" G::list_own_issues;
    "issues.listForRepo" "GET" "/repos/{owner}/{repo}/issues" G::list_issues;
    "issues.create" "POST" "/repos/{owner}/{repo}/issues" G::create_issue;
    "issues.get" "GET" "/repos/{owner}/{repo}/issues/{number}" G::get_issue;
    "issues.update" "PATCH" "/repos/{owner}/{repo}/issues/{number}" G::update_issue;
    "issues.lock" "PUT" "/repos/{owner}/{repo}/issues/{number}/lock" G::lock_issue;
    "issues.unlock" "DELETE" "/repos/{owner}/{repo}/issues/{number}/lock" G::lock_issue;
    "issues.listComments" "GET" "/repos/{owner}/{repo}/issues/{number}/comments" G::list_issue_comments;
    "issues.createComment" "POST" "/repos/{owner}/{repo}/issues/{number}/comments" G::create_comment;
    "issues.listCommentsForRepo" "GET" "/repos/{owner}/{repo}/issues/comments" G::list_all_comments;
    "issues.getComment" "GET" "/repos/{owner}/{repo}/issues/comments/{comment_id}" G::get_comment;
    "issues.updateComment" "PATCH" "/repos/{owner}/{repo}/issues/comments/{comment_id}" G::update_comment;
    "issues.deleteComment" "DELETE" "/repos/{owner}/{repo}/issues/comments/{comment_id}" G::delete_comment;
    "issues.listLabelsForRepo" "GET" "/repos/{owner}/{repo}/labels" G::list_labels;
    "issues.createLabel" "POST" "/repos/{owner}/{repo}/labels" G::create_label;
    "issues.getLabel" "GET" "/repos/{owner}/{repo}/labels/{name}" G::get_label;
    "issues.updateLabel" "PATCH" "/repos/{owner}/{repo}/labels/{name}" G::update_label;
    "issues.deleteLabel" "DELETE" "/repos/{owner}/{repo}/labels/{name}" G::delete_label;
    "issues.listLabelsOnIssue" "GET" "/repos/{owner}/{repo}/issues/{number}/labels" G::list_issue_labels;
    "issues.addLabels" "POST" "/repos/{owner}/{repo}/issues/{number}/labels" G::add_labels;
    "issues.setLabels" "PUT" "/repos/{owner}/{repo}/issues/{number}/labels" G::set_labels;
    "issues.removeAllLabels" "DELETE" "/repos/{owner}/{repo}/issues/{number}/labels" G::remove_all_labels;
    "issues.removeLabel" "DELETE" "/repos/{owner}/{repo}/issues/{number}/labels/{name}" G::remove_label;
    "issues.listMilestones" "GET" "/repos/{owner}/{repo}/milestones" G::list_milestones;
    "issues.createMilestone" "POST" "/repos/{owner}/{repo}/milestones" G::create_milestone;
    "issues.getMilestone" "GET" "/repos/{owner}/{repo}/milestones/{number}" G::get_milestone;
    "issues.updateMilestone" "PATCH" "/repos/{owner}/{repo}/milestones/{number}" G::update_milestone;
    "issues.deleteMilestone" "DELETE" "/repos/{owner}/{repo}/milestones/{number}" G::delete_milestone;
    "issues.listAssignees" "GET" "/repos/{owner}/{repo}/assignees" G::list_assignees;
    "issues.checkUserCanBeAssigned" "GET" "/repos/{owner}/{repo}/assignees/{assignee}" G::check_assignee;
    "issues.addAssignees" "POST" "/repos/{owner}/{repo}/issues/{number}/assignees" G::add_assignees;
    "issues.removeAssignees" "DELETE" "/repos/{owner}/{repo}/issues/{number}/assignees" G::remove_assignees;

    "pulls.list" "GET" "/repos/{owner}/{repo}/pulls" G::list_pulls;
    "pulls.create" "POST" "/repos/{owner}/{repo}/pulls" G::create_pull;
    "pulls.get" "GET" "/repos/{owner}/{repo}/pulls/{number}" G::get_pull;
    "pulls.update" "PATCH" "/repos/{owner}/{repo}/pulls/{number}" G::update_pull;
    "pulls.listFiles" "GET" "/repos/{owner}/{repo}/pulls/{number}/files" G::list_pull_files;
    "pulls.listCommits" "GET" "/repos/{owner}/{repo}/pulls/{number}/commits" G::list_pull_commits;
    "pulls.checkIfMerged" "GET" "/repos/{owner}/{repo}/pulls/{number}/merge" G::check_merged;
    "pulls.merge" "PUT" "/repos/{owner}/{repo}/pulls/{number}/merge" G::merge_pull;
    "pulls.updateBranch" "PUT" "/repos/{owner}/{repo}/pulls/{number}/update-branch" G::update_pull_branch;
    "pulls.listRequestedReviewers" "GET" "/repos/{owner}/{repo}/pulls/{number}/requested_reviewers"
        G::list_reviewers;
    "pulls.requestReviewers" "POST" "/repos/{owner}/{repo}/pulls/{number}/requested_reviewers" G::request_reviewers;
    "pulls.removeRequestedReviewers" "DELETE" "/repos/{owner}/{repo}/pulls/{number}/requested_reviewers"
        G::request_reviewers;
    "pulls.listReviews" "GET" "/repos/{owner}/{repo}/pulls/{number}/reviews" G::list_reviews;
    "pulls.createReview" "POST" "/repos/{owner}/{repo}/pulls/{number}/reviews" G::create_review;
    "pulls.getReview" "GET" "/repos/{owner}/{repo}/pulls/{number}/reviews/{review_id}" G::get_review;
    "pulls.deletePendingReview" "DELETE" "/repos/{owner}/{repo}/pulls/{number}/reviews/{review_id}"
        G::delete_pending_review;
    "pulls.submitReview" "POST" "/repos/{owner}/{repo}/pulls/{number}/reviews/{review_id}/events" G::submit_review;
    "pulls.dismissReview" "PUT" "/repos/{owner}/{repo}/pulls/{number}/reviews/{review_id}/dismissals"
        G::dismiss_review;
    "pulls.listCommentsForReview" "GET" "/repos/{owner}/{repo}/pulls/{number}/reviews/{review_id}/comments"
        G::list_line_comments;
    "pulls.listReviewComments" "GET" "/repos/{owner}/{repo}/pulls/{number}/comments" G::list_line_comments;
    "pulls.createReviewComment" "POST" "/repos/{owner}/{repo}/pulls/{number}/comments" G::create_line_comment;
    "pulls.createReplyForReviewComment" "POST"
        "/repos/{owner}/{repo}/pulls/{number}/comments/{comment_id}/replies" G::create_line_comment;
    "pulls.getReviewComment" "GET" "/repos/{owner}/{repo}/pulls/comments/{comment_id}" G::get_comment;
    "pulls.updateReviewComment" "PATCH" "/repos/{owner}/{repo}/pulls/comments/{comment_id}" G::update_comment;
    "pulls.deleteReviewComment" "DELETE" "/repos/{owner}/{repo}/pulls/comments/{comment_id}" G::delete_comment;

    "repos.createCommitStatus" "POST" "/repos/{owner}/{repo}/statuses/{ref}" G::create_status;
    "repos.listCommitStatusesForRef" "GET" "/repos/{owner}/{repo}/commits/{ref}/statuses" G::list_statuses;
    "repos.listCommitStatusesForRef" "GET" "/repos/{owner}/{repo}/statuses/{ref}" G::list_statuses;
    "repos.getCombinedStatusForRef" "GET" "/repos/{owner}/{repo}/commits/{ref}/status" G::combined_status;
    "checks.create" "POST" "/repos/{owner}/{repo}/check-runs" G::create_check;
    "checks.update" "PATCH" "/repos/{owner}/{repo}/check-runs/{check_run_id}" G::update_check;
    "checks.get" "GET" "/repos/{owner}/{repo}/check-runs/{check_run_id}" G::get_check;
    "checks.listForRef" "GET" "/repos/{owner}/{repo}/commits/{ref}/check-runs" G::list_checks;

    "repos.listWebhooks" "GET" "/repos/{owner}/{repo}/hooks" G::list_hooks;
    "repos.createWebhook" "POST" "/repos/{owner}/{repo}/hooks" G::create_hook;
    "repos.getWebhook" "GET" "/repos/{owner}/{repo}/hooks/{hook_id}" G::get_hook;
    "repos.updateWebhook" "PATCH" "/repos/{owner}/{repo}/hooks/{hook_id}" G::update_hook;
    "repos.deleteWebhook" "DELETE" "/repos/{owner}/{repo}/hooks/{hook_id}" G::delete_hook;
    "repos.pingWebhook" "POST" "/repos/{owner}/{repo}/hooks/{hook_id}/pings" G::ping_hook;

    "search.issuesAndPullRequests" "GET" "/search/issues" G::search_issues;
    "search.repos" "GET" "/search/repositories" G::search_repos;
    "search.code" "GET" "/search/code" G::search_code;

    "smart_http.refs" "GET" "/{owner}/{repo}/info/refs" G::advertise_refs;
    "smart_http.fetch" "POST" "/{owner}/{repo}/git-upload-pack" G::serve_fetch;
    "smart_http.push" "POST" "/{owner}/{repo}/git-receive-pack" G::serve_push;
};
