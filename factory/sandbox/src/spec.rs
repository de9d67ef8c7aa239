//! What a caller says about a sandbox: mounts, environment, limits, egress. Plain data, checked once by
//! [`Spec::check`]; nothing here acts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;

/// Most mounts (tools included) of one sandbox; each costs init a few system calls.
pub const MOUNTS_MAX: usize = 64;
/// Guest paths that the sandbox itself makes; a mount may be neither one of them nor an ancestor of one.
const OWN_PATHS: [&str; 7] = ["/proc", "/sys", "/dev", "/etc", "/usr", "/tmp", crate::HOME];

/// What to build.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// Host directories or files that exist inside. Nothing else of the host's data does.
    pub mounts: Vec<Mount>,
    /// Environment of every command, over the defaults (`PATH`, `HOME`, `USER`, `LANG`).
    pub env: BTreeMap<String, String>,
    pub limits: Limits,
    /// Loopback services of the host that commands may reach.
    pub egress: Vec<Egress>,
    /// Host directories that appear read-only under the same path, such as a toolchain's prefix; their `bin` leads `PATH`.
    pub tools: Vec<PathBuf>,
}

/// A host path that exists inside.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mount {
    pub host: PathBuf,
    /// Absolute and without `..`.
    pub guest: PathBuf,
    pub access: Access,
}

/// What the sandbox may do with a mount. Under root a [`Access::ReadWrite`] tree is given to the sandbox's uid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    ReadOnly,
    ReadWrite,
}

/// A door to one service on the host's loopback: `127.0.0.1:inner_port` inside reaches `target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Egress {
    pub inner_port: u16,
    pub target: SocketAddr,
}

/// Bounds of one sandbox. The defaults fit a medium Rust or Node build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Of the whole sandbox, tmpfs included, where [`crate::Probe::limits`] is a cgroup; else of each process. Default 4 GiB.
    pub memory_bytes: u64,
    /// Processes and threads at one time. Default 1,024.
    pub processes: u64,
    /// Of one file that a command writes. Default 4 GiB.
    pub file_size_bytes: u64,
    /// Of `/tmp`, and of the home directory. Default 2 GiB each.
    pub tmp_bytes: u64,
    /// Of `/dev/shm`. Default 256 MiB.
    pub shm_bytes: u64,
    /// Open descriptors of one process. Default 8,192.
    pub open_files: u64,
    /// Thousandths of a processor, where cgroups allow it. Default: no limit.
    pub cpu_millis: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            memory_bytes: 4096 * MIB,
            processes: 1024,
            file_size_bytes: 4096 * MIB,
            tmp_bytes: 2048 * MIB,
            shm_bytes: 256 * MIB,
            open_files: 8192,
            cpu_millis: None,
        }
    }
}

impl Spec {
    /// All mounts, tools included, parents before children.
    pub(crate) fn check(&self) -> Result<Vec<Mount>, Error> {
        let tools =
            self.tools.iter().map(|dir| Mount { host: dir.clone(), guest: dir.clone(), access: Access::ReadOnly });
        let mut mounts: Vec<Mount> = self.mounts.iter().cloned().chain(tools).collect();
        if mounts.len() > MOUNTS_MAX {
            return Err(Error::Spec(format!("{} mounts are more than {MOUNTS_MAX}", mounts.len())));
        }
        mounts.iter().try_for_each(check_mount)?;
        mounts.sort_by(|a, b| a.guest.cmp(&b.guest));
        if let Some(pair) = mounts.windows(2).find(|pair| pair[0].guest == pair[1].guest) {
            return Err(Error::Spec(format!("two mounts share the path {}", pair[0].guest.display())));
        }
        self.egress.iter().try_for_each(check_egress)?;
        Ok(mounts)
    }
}

pub(crate) fn check_egress(egress: &Egress) -> Result<(), Error> {
    if !egress.target.ip().is_loopback() {
        return Err(Error::Spec(format!("egress target {} is not on loopback; put a gateway there", egress.target)));
    }
    if egress.inner_port == 0 {
        return Err(Error::Spec("egress needs an inner port other than 0".into()));
    }
    Ok(())
}

fn check_mount(mount: &Mount) -> Result<(), Error> {
    let guest = &mount.guest;
    let plain = guest.components().skip(1).all(|part| matches!(part, Component::Normal(_)));
    if !guest.is_absolute() || !plain || guest.parent().is_none() {
        return Err(Error::Spec(format!("{} is not an absolute path below `/` without `..`", guest.display())));
    }
    if let Some(own) = OWN_PATHS.iter().find(|own| Path::new(own).starts_with(guest)) {
        return Err(Error::Spec(format!("a mount on {} would hide the sandbox's own {own}", guest.display())));
    }
    if ["/proc", "/sys", "/dev"].iter().any(|own| guest.starts_with(own)) {
        return Err(Error::Spec(format!("{} belongs to the kernel; mount elsewhere", guest.display())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_guest(guest: &str) -> Result<Vec<Mount>, Error> {
        let mount = Mount { host: "/srv".into(), guest: guest.into(), access: Access::ReadOnly };
        Spec { mounts: vec![mount], ..Spec::default() }.check()
    }

    #[test]
    fn guest_paths_that_hide_or_escape_the_root_are_refused() {
        for bad in ["/", "work", "/work/../etc", "/usr", "/proc/1", "/dev/shm", "/tmp", "/etc"] {
            assert!(with_guest(bad).is_err(), "{bad}");
        }
        for good in ["/work", "/usr/local/tool", "/tmp/input", "/etc/extra"] {
            assert!(with_guest(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn egress_beyond_loopback_is_refused() {
        let egress = Egress { inner_port: 80, target: "192.0.2.1:80".parse().unwrap() };
        assert!(Spec { egress: vec![egress], ..Spec::default() }.check().is_err());
        let egress = Egress { inner_port: 80, target: "127.0.0.1:80".parse().unwrap() };
        assert!(Spec { egress: vec![egress], ..Spec::default() }.check().is_ok());
    }

    #[test]
    fn parents_are_mounted_before_children() {
        let mount = |guest: &str| Mount { host: "/srv".into(), guest: guest.into(), access: Access::ReadOnly };
        let spec = Spec { mounts: vec![mount("/work/a"), mount("/work")], ..Spec::default() };
        let order: Vec<_> = spec.check().unwrap().into_iter().map(|mount| mount.guest).collect();
        assert_eq!(order, [PathBuf::from("/work"), PathBuf::from("/work/a")]);
    }
}
