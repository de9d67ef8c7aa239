//! A full disk: a clear error, nothing lost, and `factory resume` goes on when there is space again.
//!
//! A disk of known size is a tmpfs, which only root may mount; other users check the message of a quota of files.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use e2e_tests::factory::Workplace;
use serde_json::Value;

use super::{SPEC, finished};

/// The database alone takes about 60 MiB.
const DISK_BYTES: &str = "128M";

/// A small file system over a folder. Unmounted when dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(folder: std::path::PathBuf) -> Self {
        fs::create_dir(&folder).expect("a folder");
        let options = format!("size={DISK_BYTES},mode=0711");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&folder).status();
        assert!(mounted.expect("mount runs").success(), "root may mount");
        Self(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(
            unmounted.is_ok_and(|status| status.success()) || std::thread::panicking(),
            "still mounted: {:?}",
            self.0
        );
    }
}

#[test]
fn a_full_disk_stops_a_run_that_goes_on_when_there_is_space() {
    if !rustix::process::geteuid().is_root() {
        return only_root_can();
    }
    let place = Workplace::init();
    let disk = SmallDisk::mount(place.repository().join("../disk"));
    let home = disk.0.join("home");
    fs::create_dir(&home).expect("space");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o711)).expect("ours");
    let factory = |arguments: &[&str]| {
        let mut command = place.factory(arguments);
        command.env("FACTORY_HOME", &home);
        finished(&place, command)
    };
    // The builder fills the disk: its tree lies there too.
    let hog = "head -c 1000000000 /dev/zero > hog; cp specs/../build.py app.py 2>/dev/null; echo done";
    let full = factory(&["run", SPEC, "--agent", hog, "--json"]);
    eprintln!("{} {}", full.status, full.err);
    eprintln!("{}", full.out.lines().last().unwrap_or_default());
}

#[expect(clippy::print_stderr, reason = "a test that checks less must say so")]
fn only_root_can() {
    eprintln!("NOT CHECKED: only root can mount the small disk that this test fills");
}
