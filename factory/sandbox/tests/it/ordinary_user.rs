//! The same promises without root: this suite, once more, under the uid of nobody.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::helper;

/// The uid that stands for a person without privileges.
const NOBODY: &str = "65534";

#[test]
fn whole_suite_holds_for_an_ordinary_user() {
    if !rustix::process::geteuid().is_root() {
        // This run is already that of an ordinary user.
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let (suite, copied_helper) = (dir.path().join("suite"), dir.path().join("factory-sandbox"));
    std::fs::copy(std::env::current_exe().unwrap(), &suite).unwrap();
    std::fs::copy(helper(), &copied_helper).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
        .arg(&suite)
        .args(["--skip", "ordinary_user::"])
        .env("SANDBOX_TESTS_HELPER", &copied_helper)
        .env("TMPDIR", dir.path())
        .env("HOME", dir.path())
        .current_dir(dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    // No filter has silently emptied the run.
    let passed: u32 = text.rsplit("test result: ok. ").next().unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(passed > 30, "{text}");
}
