//! GitHub as its official SDKs see it, and the evidence of what they drove.

use std::sync::Arc;

use super::config;
use crate::{
    sdk::{Evidence, run},
    support::space,
};

const GIT: &str = "`git` itself is its client, in tests of its own";
/// What no SDK drives.
const UNDRIVEN: &[(&str, &str)] = &[("smart_http.refs", GIT), ("smart_http.fetch", GIT), ("smart_http.push", GIT)];

#[tokio::test(flavor = "multi_thread")]
async fn official_sdks_drive_github() {
    let space = Arc::new(space());
    let served = space.serve("github", config()).unwrap();
    let mut seen = Evidence::default();
    for script in ["python/github_code.py", "python/github_issues.py"] {
        run(&space, &served, script, "PyGithub 2.10.0", &mut seen).await;
    }
    for script in ["node/github_code.mjs", "node/github_issues.mjs"] {
        run(&space, &served, script, "@octokit/rest 22.0.1", &mut seen).await;
    }
    seen.check("github", UNDRIVEN);
}
