//! A full disk: a clear error, nothing lost, and `factory resume` goes on when there is space again.
//!
//! A disk that can be filled without harm is a small tmpfs, which only root may mount; others are told so.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use e2e_tests::factory::Workplace;
use model::event::Body;

use super::{SPEC, agents::mended_app};

const DISK: &str = "size=192M,mode=0711"; // the database alone takes about 60 MiB
/// Waits until the disk was filled, at most ten seconds, and builds. How many attempts the full disk takes depends on what
/// space the database has left in its own files, and each starts from a fresh tree: only the first one is told to go on.
const AGENT: &str = "touch hold; echo waiting; tries=0;
    while [ -e hold ] && [ $tries -lt 500 ]; do sleep 0.02; tries=$((tries + 1)); done;
    cp mended.py app.py && rm -f hold";

/// Unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: PathBuf) -> Self {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(&folder).status();
        assert!(mounted.expect("mount runs").success(), "root may mount");
        Self(folder)
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.filler()).expect("one more file");
        let block = vec![1; 4096];
        while file.write_all(&block).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a failing test may leave something running on it for a moment.
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

#[test]
fn a_full_disk_ends_a_run_with_its_reason_and_resume_completes_it_when_there_is_space() {
    if !rustix::process::geteuid().is_root() {
        return say_what_is_not_checked();
    }
    let place = Workplace::init();
    place.write("mended.py", &mended_app());
    place.commit("what the agent will write");
    let disk = SmallDisk::mount(place.home());
    let mut running = place.start(&["run", SPEC, "--agent", AGENT]);
    let waits =
        running.until(|event| matches!(&event.body, Body::CommandPrinted(printed) if printed.text == "waiting\n"));
    assert!(waits.is_some(), "the agent runs");
    disk.fill();
    fs::remove_file(find(&place.home().join("runs"), "hold").expect("the agent's tree")).expect("ours");
    let full = running.end();
    full.expect_status(5);
    assert!(full.stderr.contains("No space left on device"), "{}", full.stderr);
    let run = full.run();

    disk.free();
    let resumed = place.ended(&["resume", run.as_str()]);
    resumed.expect_status(0);
    let known: Vec<_> = full.events.iter().map(|event| (event.seq, &event.hash)).collect();
    let kept: Vec<_> = resumed.events.iter().map(|event| (event.seq, &event.hash)).take(known.len()).collect();
    assert_eq!(kept, known, "what was told before the disk was full is still there");
    place.verified();
    // While it is mounted every process of the machine knows of it.
    drop(disk);
    place.assert_nothing_runs();
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let entries: Vec<_> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    let here = entries.iter().find(|path| path.file_name().is_some_and(|found| found == name)).cloned();
    here.or_else(|| entries.iter().filter(|path| path.is_dir()).find_map(|path| find(path, name)))
}

#[expect(clippy::print_stderr, reason = "a test that checks nothing must say so")]
fn say_what_is_not_checked() {
    eprintln!("NOT CHECKED: only root can mount the small disk that this test fills; run it as root, too");
}
