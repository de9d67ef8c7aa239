//! The system calls that a command may not make. Everything else is allowed: builds use most of the kernel's surface.
//!
//! Denied is what reaches other processes, namespaces, mounts, the kernel's keys and code, and the kernel's large and
//! young attack surfaces. Two answers: `EPERM`, and `ENOSYS` where libraries have a fallback for an older kernel.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter, sock_filter,
};

/// Denied whatever the arguments are.
const DENIED: [libc::c_long; 55] = [
    // other processes' memory and descriptors
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // the kernel's own code, tracing and keys
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_userfaultfd,
    // mounts and roots
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    // namespaces
    libc::SYS_unshare,
    libc::SYS_setns,
    // the machine
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_mbind,
    libc::SYS_set_mempolicy,
    libc::SYS_get_mempolicy,
];
#[cfg(target_arch = "x86_64")]
const DENIED_HERE: [libc::c_long; 5] =
    [libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_uselib, libc::SYS_ustat];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: [libc::c_long; 0] = [];

/// Denied as if the kernel did not have them: libraries then use the older call, whose arguments a filter can see
/// (`clone3` hides its flags behind a pointer), or ordinary system calls instead of a ring.
const UNKNOWN: [libc::c_long; 4] =
    [libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

const NEW_NAMESPACES: [libc::c_int; 8] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
    0x80, // CLONE_NEWTIME, which libc gives a wider type
];
/// Pushing characters into a terminal's input (CVE-2017-5226), and the console's paste.
const TERMINAL_INJECTION: [u32; 2] = [0x5412, 0x541c];
const SOCKET_TYPE_MASK: u64 = 0xf;

/// The compiled filters; the kernel takes the strictest answer among them.
pub(super) struct Filters(Vec<BpfProgram>);

impl Filters {
    pub(super) fn compile() -> io::Result<Self> {
        let mut denied: BTreeMap<libc::c_long, Vec<SeccompRule>> =
            DENIED.into_iter().chain(DENIED_HERE).map(|call| (call, Vec::new())).collect();
        denied.insert(libc::SYS_clone, new_namespaces()?);
        denied.insert(libc::SYS_socket, sockets_beyond_tcp_udp_unix()?);
        denied.insert(libc::SYS_socketpair, vec![rule(vec![compare(0, SeccompCmpOp::Ne, libc::AF_UNIX as u64)?])?]);
        denied.insert(libc::SYS_ioctl, terminal_injection()?);
        let unknown = UNKNOWN.into_iter().map(|call| (call, Vec::new())).collect();
        Ok(Self(vec![program(unknown, libc::ENOSYS)?, program(denied, libc::EPERM)?, foreign_numbers()]))
    }

    /// Filters the calling thread, for good and for all its children.
    pub(super) fn apply(&self) -> io::Result<()> {
        self.0.iter().try_for_each(|program| apply_filter(program)).map_err(io::Error::other)
    }
}

fn program(rules: BTreeMap<libc::c_long, Vec<SeccompRule>>, errno: i32) -> io::Result<BpfProgram> {
    let arch = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let answer = SeccompAction::Errno(errno.cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, arch).map_err(io::Error::other)?;
    filter.try_into().map_err(io::Error::other)
}

fn new_namespaces() -> io::Result<Vec<SeccompRule>> {
    NEW_NAMESPACES
        .into_iter()
        .map(|flag| u64::from(flag.cast_unsigned()))
        .map(|flag| rule(vec![compare(0, SeccompCmpOp::MaskedEq(flag), flag)?]))
        .collect()
}

/// Families other than unix, IPv4 and IPv6; types other than stream and datagram.
fn sockets_beyond_tcp_udp_unix() -> io::Result<Vec<SeccompRule>> {
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
    let other_family = families.into_iter().map(|family| compare(0, SeccompCmpOp::Ne, family as u64));
    let mut rules = vec![rule(other_family.collect::<io::Result<_>>()?)?];
    let allowed = [libc::SOCK_STREAM as u64, libc::SOCK_DGRAM as u64];
    for kind in (0..=SOCKET_TYPE_MASK).filter(|kind| !allowed.contains(kind)) {
        rules.push(rule(vec![compare(1, SeccompCmpOp::MaskedEq(SOCKET_TYPE_MASK), kind)?])?);
    }
    Ok(rules)
}

fn terminal_injection() -> io::Result<Vec<SeccompRule>> {
    TERMINAL_INJECTION.into_iter().map(|call| rule(vec![compare(1, SeccompCmpOp::Eq, u64::from(call))?])).collect()
}

fn rule(conditions: Vec<SeccompCondition>) -> io::Result<SeccompRule> {
    SeccompRule::new(conditions).map_err(io::Error::other)
}

/// Compares the lower half of an argument: the kernel ignores the upper half of an `int`, and so must the filter.
fn compare(argument: u8, operator: SeccompCmpOp, value: u64) -> io::Result<SeccompCondition> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value).map_err(io::Error::other)
}

/// Refuses x32 calls: they share the architecture's id with x86-64, but have numbers (bit 30 set) that no rule names.
fn foreign_numbers() -> BpfProgram {
    const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const JUMP_IF_REACHED: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const NUMBER_OFFSET: u32 = 0; // of `nr` in `seccomp_data`
    const X32_BIT: u32 = 0x4000_0000;
    let refuse = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
    let instruction = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    vec![
        instruction(LOAD_WORD, 0, 0, NUMBER_OFFSET),
        instruction(JUMP_IF_REACHED, 0, 1, X32_BIT),
        instruction(RETURN, 0, 0, refuse),
        instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}
