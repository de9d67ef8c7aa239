//! Limits for a sandbox as a whole, where this machine lets us set them.
//!
//! Groups are made below the group that the factory itself is in, so whatever limits the factory limits its sandboxes
//! too. Without a writable hierarchy the limits are per process, and the PID namespace still ends everything at once.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::spec::Limits;

/// The controllers that a sandbox uses. Memory is what no other mechanism can bound for many processes together.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];
/// The helper's own processes, and room to start a command that cleans up.
const PROCESSES_SPARE: u64 = 16;
/// Period of the processor quota; the kernel's default.
const CPU_PERIOD_US: u64 = 100_000;

/// What bounds the memory and processes of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Unified cgroups: memory, processes and processor of the whole sandbox.
    V2,
    /// Version 1 cgroups, the same bounds.
    V1,
    /// Memory per process only (processes are still counted per sandbox).
    PerProcess { reason: String },
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V2 => f.write_str("cgroups v2"),
            Self::V1 => f.write_str("cgroups v1"),
            Self::PerProcess { reason } => write!(f, "per process only ({reason})"),
        }
    }
}

/// The groups below which sandboxes are placed.
#[derive(Debug)]
pub(crate) struct Cgroups {
    pub(crate) tier: Tier,
    parents: Vec<PathBuf>,
}

impl Cgroups {
    /// Finds out what works by doing it: makes and removes a group.
    pub(crate) fn detect() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let hierarchies = Hierarchies::parse(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"));
        match hierarchies.unified().or_else(|v2| hierarchies.version_1().map_err(|v1| format!("{v2}; {v1}"))) {
            Ok((tier, parents)) => Self { tier, parents },
            Err(reason) => Self { tier: Tier::PerProcess { reason }, parents: Vec::new() },
        }
    }

    /// Makes the groups of one sandbox.
    pub(crate) fn create(&self, name: &str, limits: &Limits) -> io::Result<Cgroup> {
        let mut group = Cgroup { dirs: Vec::new() };
        for parent in &self.parents {
            let dir = parent.join(name);
            fs::create_dir(&dir)?;
            group.dirs.push(dir);
        }
        group.limit(limits)?;
        Ok(group)
    }
}

/// The groups of one sandbox; removed when dropped, which works once the sandbox has ended.
#[derive(Debug)]
pub(crate) struct Cgroup {
    dirs: Vec<PathBuf>,
}

impl Cgroup {
    pub(crate) fn dirs(&self) -> &[PathBuf] {
        &self.dirs
    }

    pub(crate) fn add(&self, pid: u32) -> io::Result<()> {
        self.dirs.iter().try_for_each(|dir| fs::write(dir.join("cgroup.procs"), pid.to_string()))
    }

    /// Writes each bound into whichever directory has its file: the names tell the versions apart.
    fn limit(&self, limits: &Limits) -> io::Result<()> {
        let memory = limits.memory_bytes.to_string();
        let mut settings = vec![
            ("memory.max", memory.clone()),
            ("memory.swap.max", "0".to_owned()),
            ("memory.limit_in_bytes", memory.clone()),
            ("memory.memsw.limit_in_bytes", memory),
            ("pids.max", (limits.processes + PROCESSES_SPARE).to_string()),
        ];
        if let Some(millis) = limits.cpu_millis {
            let quota_us = millis * CPU_PERIOD_US / 1000;
            settings.push(("cpu.max", format!("{quota_us} {CPU_PERIOD_US}")));
            settings.push(("cpu.cfs_quota_us", quota_us.to_string()));
        }
        for dir in &self.dirs {
            for (file, value) in settings.iter().map(|(file, value)| (dir.join(file), value)) {
                if file.exists() {
                    fs::write(file, value)?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for dir in &self.dirs {
            if let Err(error) = fs::remove_dir(dir) {
                tracing::debug!(dir = %dir.display(), %error, "cgroup stays until the next reap");
            }
        }
    }
}

/// Where this process is in each mounted hierarchy.
#[derive(Debug, Default, PartialEq)]
struct Hierarchies {
    v2: Option<PathBuf>,
    v1: Vec<(String, PathBuf)>,
}

impl Hierarchies {
    /// From the contents of `/proc/self/mountinfo` and `/proc/self/cgroup` (formats: proc(5), cgroups(7)).
    fn parse(mountinfo: &str, cgroup: &str) -> Self {
        let mut found = Self::default();
        for (kind, options, root, point) in mountinfo.lines().filter_map(cgroup_mount) {
            for line in cgroup.lines() {
                let mut fields = line.splitn(3, ':').skip(1);
                let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
                let Ok(below) = Path::new(path).strip_prefix(root) else { continue };
                let dir = Path::new(point).join(below);
                if kind == "cgroup2" && controllers.is_empty() {
                    found.v2.get_or_insert(dir);
                } else if kind == "cgroup" {
                    let of_mount = |name: &&str| controllers.split(',').any(|it| it == *name);
                    let names = CONTROLLERS.into_iter().filter(|name| options.split(',').any(|it| it == *name));
                    found.v1.extend(names.filter(of_mount).map(|name| (name.to_owned(), dir.clone())));
                }
            }
        }
        found
    }

    fn unified(&self) -> Result<(Tier, Vec<PathBuf>), String> {
        let dir = self.v2.as_ref().ok_or("cgroups v2 are not mounted")?;
        let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap_or_default();
        let has = |list: &str, name: &str| list.split_whitespace().any(|it| it == name);
        if !has(&read("cgroup.controllers"), "memory") {
            return Err("cgroups v2 have no memory controller here".to_owned());
        }
        for name in CONTROLLERS {
            let control = dir.join("cgroup.subtree_control");
            if !has(&read("cgroup.subtree_control"), name)
                && fs::write(control, format!("+{name}")).is_err()
                && name == "memory"
            {
                return Err(format!(
                    "{} cannot pass on its memory controller; start the factory in a delegated scope with a subgroup",
                    dir.display()
                ));
            }
        }
        try_group(dir)?;
        Ok((Tier::V2, vec![dir.clone()]))
    }

    fn version_1(&self) -> Result<(Tier, Vec<PathBuf>), String> {
        let memory =
            self.v1.iter().find(|(name, _)| name == "memory").ok_or("cgroups v1 have no memory controller here")?;
        try_group(&memory.1)?;
        let mut dirs: Vec<PathBuf> = Vec::new();
        for (_, dir) in &self.v1 {
            if !dirs.contains(dir) && try_group(dir).is_ok() {
                dirs.push(dir.clone());
            }
        }
        Ok((Tier::V1, dirs))
    }
}

/// Type, options, root and mount point of a line about a cgroup file system.
fn cgroup_mount(line: &str) -> Option<(&str, &str, &str, &str)> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(3);
    let (root, point) = (left.next()?, left.next()?);
    let mut right = right.split(' ');
    let (kind, options) = (right.next()?, right.nth(1)?);
    kind.starts_with("cgroup").then_some((kind, options, root, point))
}

fn try_group(parent: &Path) -> Result<(), String> {
    let dir = parent.join(format!("factory-sandbox.probe.{}", std::process::id()));
    fs::create_dir(&dir)
        .and_then(|()| fs::remove_dir(&dir))
        .map_err(|error| format!("{} is not writable: {error}", parent.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = "\
30 25 0:26 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 25 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
33 25 0:29 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
34 25 0:30 / /proc rw - proc proc rw";
    const CGROUP: &str = "4:memory:/job\n3:cpu,cpuacct:/\n2:pids:/docker/abc/sub\n0::/user/scope";

    #[test]
    fn own_group_is_found_in_each_hierarchy() {
        let found = Hierarchies::parse(MOUNTINFO, CGROUP);
        assert_eq!(found.v2, Some("/sys/fs/cgroup/unified/user/scope".into()));
        let expected = [
            ("memory", "/sys/fs/cgroup/memory/job"),
            ("cpu", "/sys/fs/cgroup/cpu,cpuacct"),
            ("pids", "/sys/fs/cgroup/pids/sub"),
        ];
        let expected: Vec<_> = expected.map(|(name, dir)| (name.to_owned(), PathBuf::from(dir))).into();
        assert_eq!(found.v1, expected);
    }

    #[test]
    fn missing_hierarchies_are_named() {
        let none = Hierarchies::default();
        assert!(none.unified().unwrap_err().contains("v2"));
        assert!(none.version_1().unwrap_err().contains("v1"));
    }
}
