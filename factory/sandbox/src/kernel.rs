//! The system calls that have no safe wrapper: the only unsafe code of this crate.
//!
//! Each function is one call with its arguments checked by types; policy lives with the callers.
#![expect(unsafe_code, reason = "fork, unshare, close_range, signalfd and mount_setattr have no safe wrapper")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::process::Pid;
use rustix::thread::UnshareFlags;

/// Which side of a fork this is.
pub(crate) enum Fork {
    Parent(Pid),
    Child,
}

/// Duplicates the calling process, which must have a single thread.
///
/// # Panics
/// If the process has more than one thread: the child could then inherit a lock that nobody releases.
pub(crate) fn fork() -> io::Result<Fork> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    assert_eq!(threads, 1, "only a single-threaded process may fork");
    // SAFETY: one thread, asserted above, so the child holds no lock of another thread.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(Pid::from_raw(pid).expect("fork returns a positive pid to the parent"))),
    }
}

/// Moves the calling process into new namespaces.
pub(crate) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    assert!(!flags.contains(UnshareFlags::FILES), "sharing of descriptors stays as it is");
    // SAFETY: the descriptor table is not unshared (asserted above), so no descriptor changes its owner.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(Into::into)
}

/// Marks every descriptor from `first` upwards to be closed by the next `exec`.
pub(crate) fn close_on_exec_from(first: RawFd) -> io::Result<()> {
    let (first, last) = (first.cast_unsigned(), u32::MAX);
    // SAFETY: only sets a flag; nothing is closed before `exec`, so no owned descriptor becomes stale.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, libc::CLOSE_RANGE_CLOEXEC) })
}

/// Adds mount attributes (`MOUNT_ATTR_*`) to the mount that `mount` is the root of, and to those below it.
pub(crate) fn restrict_mount(mount: BorrowedFd<'_>, attributes: u64, depth: Depth) -> io::Result<()> {
    let recursive = match depth {
        Depth::ThisMount => 0,
        Depth::WithSubmounts => libc::AT_RECURSIVE,
    };
    let attr = libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the path is a NUL-terminated literal, `attr` outlives the call and its true size is passed.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    })
}

/// How far an attribute of a mount reaches.
#[derive(Clone, Copy)]
pub(crate) enum Depth {
    ThisMount,
    WithSubmounts,
}

/// Blocks SIGCHLD and returns a descriptor that is readable while one is pending.
pub(crate) fn child_signals() -> io::Result<OwnedFd> {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set that the other calls read; all pointers outlive the calls; the
    // returned descriptor is new and owned by nobody else.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        if libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) == -1 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
