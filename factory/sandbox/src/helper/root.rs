//! The root of a sandbox: an allow-list of mounts on an empty, read-only tmpfs. What is not named here does not exist
//! inside. A read-only bind of the host's `/` would not do: it still lets a process connect to the host's sockets.
//!
//! Works on descriptors instead of paths, so that no link inside a mounted tree can divert a later mount.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat, openat2, statat, symlinkat,
};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount_change, move_mount, open_tree, unmount,
};
use rustix::process::{chdir, fchdir, pivot_root};

use super::{Failure, Stage};
use crate::kernel::{Depth, restrict_mount};
use crate::spec::Access;
use crate::wire::Setup;

/// Host files that programs need and that tell nothing about the host's users, services or secrets.
const ETC_SHARED: [&str; 12] = [
    "alternatives",
    "ca-certificates.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "pki/tls/certs",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
];
/// Directories that are links into `/usr` on merged systems and directories of their own elsewhere.
const USR_LINKS: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
const DEVICE_LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];
/// Parts of `/proc` that describe the host rather than the sandbox; covered where the kernel has them.
const PROC_HIDDEN: [&str; 6] = ["kcore", "keys", "latency_stats", "sched_debug", "timer_list", "sysrq-trigger"];
const PROC_READ_ONLY: [&str; 3] = ["sys", "irq", "bus"];
/// The root holds directories, links and five small files.
const ROOT_SIZE: &str = "256k";

/// Mounts that are copied from the host but not attached anywhere yet.
pub(super) struct Trees {
    binds: Vec<Bind>,
    links: Vec<(&'static str, PathBuf)>,
}

struct Bind {
    guest: PathBuf,
    tree: OwnedFd,
}

impl Trees {
    /// Copies everything that the sandbox will contain. Needs the host's paths, so it comes before [`build`].
    pub(super) fn open(setup: &Setup) -> Result<Self, Failure> {
        let mut trees = Self { binds: Vec::new(), links: Vec::new() };
        trees.bind(Path::new("/usr"), Path::new("/usr"), Access::ReadOnly)?;
        for name in USR_LINKS {
            let path = Path::new("/").join(name);
            match path.read_link() {
                Ok(target) => trees.links.push((name, target)),
                Err(_) => trees.bind_if_present(&path)?,
            }
        }
        for name in ETC_SHARED {
            trees.bind_if_present(&Path::new("/etc").join(name))?;
        }
        for name in DEVICES {
            let path = Path::new("/dev").join(name);
            let tree = copy_tree(&path, MountAttrFlags::empty()).stage(format!("bind {}", path.display()))?;
            trees.binds.push(Bind { guest: path, tree });
        }
        for mount in &setup.mounts {
            trees.bind(&mount.host, &mount.guest, mount.access)?;
        }
        Ok(trees)
    }

    fn bind_if_present(&mut self, path: &Path) -> Result<(), Failure> {
        if path.exists() { self.bind(path, path, Access::ReadOnly) } else { Ok(()) }
    }

    fn bind(&mut self, host: &Path, guest: &Path, access: Access) -> Result<(), Failure> {
        let attributes = match access {
            Access::ReadOnly => MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_RDONLY,
            Access::ReadWrite => MountAttrFlags::MOUNT_ATTR_NODEV,
        };
        let tree = copy_tree(host, attributes).stage(format!("mount {}", host.display()))?;
        self.binds.push(Bind { guest: guest.to_owned(), tree });
        Ok(())
    }
}

fn copy_tree(host: &Path, attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(CWD, host, flags)?;
    let attributes = attributes | MountAttrFlags::MOUNT_ATTR_NOSUID;
    restrict_mount(tree.as_fd(), u64::from(attributes.bits()), Depth::WithSubmounts)?;
    Ok(tree)
}

/// Makes the calling process's mount namespace contain the sandbox's root and nothing else.
pub(super) fn build(setup: &Setup, trees: Trees) -> Result<(), Failure> {
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC).stage("detach mounts")?;
    let root = Root { fd: new_tmpfs(ROOT_SIZE, "755").stage("make the root")? };
    // Any directory will do until the pivot; `/usr` exists everywhere, and its copy is already taken.
    attach(root.fd.as_fd(), open_path(CWD, Path::new("/usr"), ResolveFlags::empty()).stage("find /usr")?.as_fd())
        .stage("mount the root")?;

    let limits = &setup.limits;
    root.mount_tmpfs("tmp", limits.tmp_bytes, "1777").stage("mount /tmp")?;
    root.mount_tmpfs(&crate::HOME[1..], limits.tmp_bytes, "755").stage("mount the home directory")?;
    root.mount_tmpfs("dev/shm", limits.shm_bytes, "1777").stage("mount /dev/shm")?;
    root.mount_proc().stage("mount /proc")?;
    root.open_low_ports().stage("open low ports")?;
    root.write_own_files().stage("write /etc")?;
    for (name, target) in &trees.links {
        symlinkat(target, &root.fd, *name).stage(format!("link /{name}"))?;
    }
    for bind in trees.binds {
        root.mount_tree(&bind).stage(format!("mount {}", bind.guest.display()))?;
    }
    root.cover_proc().stage("cover /proc")?;
    restrict_mount(root.fd.as_fd(), u64::from(MountAttrFlags::MOUNT_ATTR_RDONLY.bits()), Depth::ThisMount)
        .stage("make the root read-only")?;
    root.enter().stage("enter the root")
}

struct Root {
    fd: OwnedFd,
}

impl Root {
    fn mount_tmpfs(&self, path: &str, size_bytes: u64, mode: &str) -> io::Result<()> {
        let target = self.directory(Path::new(path))?;
        attach(new_tmpfs(&size_bytes.to_string(), mode)?.as_fd(), target.as_fd())
    }

    /// A process list of this PID namespace only. Must be mounted while the host's is still visible: the kernel
    /// refuses a new one that would show more than the old one.
    fn mount_proc(&self) -> io::Result<()> {
        let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_create(&context)?;
        let attributes =
            MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
        attach(mount.as_fd(), self.directory(Path::new("proc"))?.as_fd())
    }

    /// Inside, a server on port 80 is as good as any other. The setting belongs to the sandbox's network alone.
    fn open_low_ports(&self) -> io::Result<()> {
        let setting = "proc/sys/net/ipv4/ip_unprivileged_port_start";
        let file = openat(&self.fd, setting, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        File::from(file).write_all(b"0")
    }

    fn cover_proc(&self) -> io::Result<()> {
        let null = Path::new("dev/null");
        for name in PROC_HIDDEN {
            self.cover(&Path::new("proc").join(name), null, MountAttrFlags::empty())?;
        }
        for name in PROC_READ_ONLY {
            let path = Path::new("proc").join(name);
            self.cover(&path, &path, MountAttrFlags::MOUNT_ATTR_RDONLY)?;
        }
        Ok(())
    }

    /// Mounts the sandbox's `cover` over its `path`, if that exists.
    fn cover(&self, path: &Path, cover: &Path, attributes: MountAttrFlags) -> io::Result<()> {
        let target = match open_path(self.fd.as_fd(), path, ResolveFlags::NO_SYMLINKS) {
            Err(Errno::NOENT) => return Ok(()),
            found => found?,
        };
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = open_tree(&self.fd, cover, flags)?;
        restrict_mount(tree.as_fd(), u64::from(attributes.bits()), Depth::ThisMount)?;
        attach(tree.as_fd(), target.as_fd())
    }

    fn mount_tree(&self, bind: &Bind) -> io::Result<()> {
        let guest = bind.guest.strip_prefix("/").map_err(io::Error::other)?;
        let target = if FileType::from_raw_mode(fstat(&bind.tree)?.st_mode) == FileType::Directory {
            self.directory(guest)?
        } else {
            self.file(guest)?
        };
        attach(bind.tree.as_fd(), target.as_fd())
    }

    fn write_own_files(&self) -> io::Result<()> {
        let (user, home, id) = (crate::USER, crate::HOME, super::INNER_ID);
        self.write(
            "etc/passwd",
            &format!("{user}:x:{id}:{id}:{user}:{home}:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
        )?;
        self.write("etc/group", &format!("{user}:x:{id}:\nnogroup:x:65534:\n"))?;
        self.write("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")?;
        self.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\nservices: files\n")?;
        self.write("etc/hostname", "localhost\n")?;
        self.directory(Path::new("run"))?;
        symlinkat("/tmp", self.directory(Path::new("var"))?, "tmp")?;
        let dev = self.directory(Path::new("dev"))?;
        for (name, target) in DEVICE_LINKS {
            symlinkat(target, &dev, name)?;
        }
        Ok(())
    }

    fn write(&self, path: &str, text: &str) -> io::Result<()> {
        let path = Path::new(path);
        let parent = self.directory(path.parent().expect("each own file has a directory"))?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(parent, path.file_name().expect("each own file has a name"), flags, 0o644.into())?;
        File::from(file).write_all(text.as_bytes())
    }

    /// Opens a directory below the root, made where missing. Follows no link.
    fn directory(&self, path: &Path) -> io::Result<OwnedFd> {
        let mut at = open_path(self.fd.as_fd(), Path::new("."), ResolveFlags::empty())?;
        for part in path {
            match mkdirat(&at, part, 0o755.into()) {
                Ok(()) | Err(Errno::EXIST) => {}
                // A read-only mount refuses before it looks whether the directory exists.
                Err(Errno::ROFS | Errno::ACCESS) if statat(&at, part, AtFlags::SYMLINK_NOFOLLOW).is_ok() => {}
                Err(error) => return Err(error.into()),
            }
            at = open_path(at.as_fd(), Path::new(part), ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH)?;
        }
        Ok(at)
    }

    /// Opens a file below the root to mount another on, made where missing.
    fn file(&self, path: &Path) -> io::Result<OwnedFd> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let parent = self.directory(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        match openat(&parent, name, flags, 0o644.into()) {
            Ok(_) | Err(Errno::EXIST | Errno::ROFS) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(open_path(parent.as_fd(), Path::new(name), ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH)?)
    }

    /// Swaps this root for the host's and drops the latter.
    fn enter(&self) -> io::Result<()> {
        fchdir(&self.fd)?;
        // Both roots end up stacked on `/`, the old one on top, so that no directory for it is needed.
        pivot_root(".", ".")?;
        unmount(".", UnmountFlags::DETACH)?;
        chdir("/")?;
        Ok(())
    }
}

fn new_tmpfs(size: &str, mode: &str) -> io::Result<OwnedFd> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "size", size)?;
    fsconfig_set_string(&context, "mode", mode)?;
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    Ok(fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> io::Result<()> {
    debug_assert_ne!(mount.as_raw_fd(), target.as_raw_fd());
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(mount, "", target, "", flags)?)
}

fn open_path(at: BorrowedFd<'_>, path: &Path, resolve: ResolveFlags) -> Result<OwnedFd, Errno> {
    openat2(at, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}
