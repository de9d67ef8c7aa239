//! The last steps of a command before it runs: the child of init gives up everything it could misuse, then `exec`s.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit, chdir, set_dumpable_behavior, setrlimit, setsid, umask};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs,
};

use super::seccomp::Filters;
use super::{Failure, Stage};
use crate::kernel;
use crate::wire::{DESCRIPTORS_MAX, Setup};

/// Exit code of a command that could not be started, as shells have it.
const NOT_STARTED: i32 = 127;
/// Makes the kernel choose a command, before init and before the host's own processes, when memory runs out.
const OOM_SCORE_ADJ: &str = "900";

/// What all commands of a sandbox have in common.
pub(super) struct Launch {
    filters: Filters,
    rlimits: Vec<(Resource, u64)>,
}

impl Launch {
    pub(super) fn new(setup: &Setup) -> Result<Self, Failure> {
        let limits = &setup.limits;
        let mut rlimits = vec![
            (Resource::Core, 0),
            (Resource::Fsize, limits.file_size_bytes),
            (Resource::Nofile, limits.open_files),
            // Counted per user namespace, so it bounds this sandbox and no other.
            (Resource::Nproc, limits.processes),
            (Resource::Memlock, 0),
        ];
        if setup.memory_per_process {
            rlimits.push((Resource::Data, limits.memory_bytes));
        }
        Ok(Self { filters: Filters::compile().stage("compile the system call filter")?, rlimits })
    }

    /// Turns the calling process into the command. Descriptors: standard input, output, error, status pipe.
    pub(super) fn exec(
        &self,
        argv: &[String],
        env: &BTreeMap<String, String>,
        cwd: &Path,
        fds: &[OwnedFd; DESCRIPTORS_MAX],
    ) -> ! {
        let Failure { stage, error } = match self.give_up_privileges(cwd, fds) {
            Err(failure) => failure,
            Ok(()) => {
                let mut command = Command::new(&argv[0]);
                let error = command.args(&argv[1..]).env_clear().envs(env).exec();
                Failure { stage: format!("run `{}`", argv[0]), error }
            }
        };
        Self::refuse(&fds[3], &stage, &error);
        std::process::exit(NOT_STARTED)
    }

    /// Tells the host, through the status pipe, why a command does not run.
    pub(super) fn refuse(status: &OwnedFd, stage: &str, error: &io::Error) {
        // A host that does not listen any more needs no reason.
        rustix::io::write(status, format!("{stage}: {error}").as_bytes()).ok();
    }

    fn give_up_privileges(&self, cwd: &Path, fds: &[OwnedFd; DESCRIPTORS_MAX]) -> Result<(), Failure> {
        setsid().stage("start a session")?;
        umask(Mode::from_raw_mode(0o022));
        self.limit_resources().stage("limit resources")?;
        redirect(fds).stage("redirect standard streams")?;
        drop_capabilities().stage("drop capabilities")?;
        // After the capabilities, so that what follows counts as the command's own doing.
        chdir(cwd).stage(format!("enter {}", cwd.display()))?;
        set_no_new_privs(true).stage("forbid new privileges")?;
        self.filters.apply().stage("filter system calls")
    }

    fn limit_resources(&self) -> io::Result<()> {
        // /proc/self of a process that is not dumpable belongs to root; init's own state is not touched.
        set_dumpable_behavior(DumpableBehavior::Dumpable)?;
        std::fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJ)?;
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
        for (resource, limit) in &self.rlimits {
            // Not above what the factory itself may have; only the host's root could raise that.
            let limit = rustix::process::getrlimit(*resource).maximum.map_or(*limit, |maximum| maximum.min(*limit));
            setrlimit(*resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
        }
        Ok(())
    }
}

fn redirect(fds: &[OwnedFd; DESCRIPTORS_MAX]) -> io::Result<()> {
    assert!(fds.iter().all(|fd| fd.as_raw_fd() > 2), "standard descriptors are open in init");
    dup2_stdin(&fds[0])?;
    dup2_stdout(&fds[1])?;
    dup2_stderr(&fds[2])?;
    kernel::close_on_exec_from(3)
}

/// Empties every capability set, the bounding set included: not even a file with capabilities gives one back.
fn drop_capabilities() -> io::Result<()> {
    for number in 0..u64::BITS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            // The first number that this kernel does not know.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    Ok(())
}
