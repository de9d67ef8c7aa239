//! What must not be possible inside (FAC-5, FAC-14). Each attempt has a control beside it that must succeed, so that no test passes
//! because its tool is missing.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use factory_sandbox::{Access, Command, Mount, Sandbox, Spec};

use crate::support::{Maker, alive, sh, text};

/// Runs one system call inside; its error number, or 0.
async fn errno(sandbox: &Sandbox, call: &str) -> i32 {
    let output = sh(sandbox, &format!("perl -e 'my $r = syscall({call}); print $r == -1 ? $!+0 : 0'")).await;
    text(&output.stdout).parse().unwrap_or_else(|_| panic!("{call}: {output:?}"))
}

async fn stdout(sandbox: &Sandbox, script: &str) -> String {
    text(&sh(sandbox, script).await.stdout).to_owned()
}

async fn succeeds(sandbox: &Sandbox, script: &str) -> bool {
    sh(sandbox, script).await.status.is_success()
}

#[tokio::test]
async fn root_holds_only_what_is_allow_listed() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let listed = stdout(&sandbox, "ls / | grep -v -e '^lib' -e '^s\\?bin$' | tr '\\n' ' '; ls /var /run /home").await;
    assert_eq!(listed, "dev etc home proc run tmp usr var /home:\nuser\n\n/run:\n\n/var:\ntmp");
    for path in ["/root", "/var/lib", "/var/run", "/sys", "/boot", "/mnt", "/etc/shadow", "/etc/machine-id", "/dev/kvm"]
    {
        assert!(!succeeds(&sandbox, &format!("test -e {path}")).await, "{path}");
    }
    assert!(succeeds(&sandbox, "test -e /usr/bin/env -a -e /bin/sh -a -c /dev/null").await);
}

#[tokio::test]
async fn nothing_of_the_root_can_be_written() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    for path in
        ["/x", "/usr/x", "/usr/local/x", "/etc/x", "/etc/passwd", "/dev/x", "/run/x", "/proc/sys/kernel/hostname"]
    {
        let output = sh(&sandbox, &format!("echo x > {path}")).await;
        assert!(!output.status.is_success(), "{path}");
        assert!(text(&output.stderr).contains("Read-only"), "{path}: {}", text(&output.stderr));
    }
    assert!(succeeds(&sandbox, "touch /tmp/x /var/tmp/x ~/x /dev/shm/x && echo x > /dev/null").await);
}

#[tokio::test]
async fn command_has_no_privilege_and_cannot_gain_one() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    // The command itself: a shell between would put some of this right.
    let status = sandbox.run(Command::new(["cat", "/proc/self/status"])).await.unwrap();
    let field = |name: &str| {
        let line = text(&status.stdout).lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("no {name} in {status:?}")).rsplit('\t').next().unwrap().to_owned()
    };
    for name in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "SigBlk:"] {
        assert_eq!(field(name), "0000000000000000", "{name}");
    }
    // libc keeps signals 32 and 33 to itself; whether they are ignored is the business of whoever started us.
    assert_eq!(u64::from_str_radix(&field("SigIgn:"), 16).unwrap() & 0x7fff_ffff, 0);
    assert_eq!([field("NoNewPrivs:"), field("Seccomp:"), field("Seccomp_filters:")], ["1", "2", "3"]);
    assert_eq!(stdout(&sandbox, "id -u; id -g; id -G").await.split('\n').take(2).collect::<Vec<_>>(), ["1000", "1000"]);
    for call in [libc::SYS_setuid, libc::SYS_setgid] {
        // Not merely forbidden: root does not exist inside.
        assert_eq!(errno(&sandbox, &format!("{call}, 0")).await, libc::EINVAL);
        assert_eq!(errno(&sandbox, &format!("{call}, 1000")).await, 0);
    }
    let mounts = stdout(&sandbox, "grep -vc nosuid /proc/self/mountinfo").await;
    assert_eq!(mounts, "0", "every mount ignores setuid bits");
}

#[tokio::test]
async fn dangerous_system_calls_are_refused() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let denied = [
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_userfaultfd,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_open_tree,
        libc::SYS_move_mount,
        libc::SYS_fsopen,
        libc::SYS_mount_setattr,
        libc::SYS_setns,
        libc::SYS_open_by_handle_at,
        libc::SYS_syslog,
    ];
    for call in denied {
        assert_eq!(errno(&sandbox, &format!("{call}, 0, 0, 0, 0, 0")).await, libc::EPERM, "system call {call}");
    }
    for call in [libc::SYS_clone3, libc::SYS_io_uring_setup] {
        assert_eq!(errno(&sandbox, &format!("{call}, 0, 0")).await, libc::ENOSYS, "system call {call}");
    }
    // TIOCSTI is denied, while another request only finds that there is no terminal.
    let ioctl = libc::SYS_ioctl;
    assert_eq!(errno(&sandbox, &format!("{ioctl}, 0, 0x5412, 0")).await, libc::EPERM);
    assert_eq!(errno(&sandbox, &format!("{ioctl}, 0, 0x5401, 0")).await, libc::ENOTTY);
    assert_eq!(errno(&sandbox, &format!("{}, 0", libc::SYS_getpid)).await, 0);
}

#[tokio::test]
async fn no_namespace_can_be_made_inside() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWNET, libc::CLONE_NEWPID] {
        let (unshare, clone) = (libc::SYS_unshare, libc::SYS_clone);
        assert_eq!(errno(&sandbox, &format!("{unshare}, {flag}")).await, libc::EPERM);
        assert_eq!(errno(&sandbox, &format!("{clone}, {flag} | 17, 0, 0, 0, 0")).await, libc::EPERM);
    }
    assert!(!succeeds(&sandbox, "unshare --user --map-root-user true").await);
    assert!(succeeds(&sandbox, "perl -e 'my $pid = fork // die; exit 0 if !$pid; wait; exit $?'").await);
}

#[tokio::test]
async fn only_ordinary_sockets_can_be_made() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let socket = libc::SYS_socket;
    let (stream, datagram, raw) = (libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW);
    for (family, kind) in [
        (libc::AF_NETLINK, raw),
        (libc::AF_PACKET, raw),
        (libc::AF_INET, raw),
        (libc::AF_VSOCK, stream),
        (libc::AF_ALG, libc::SOCK_SEQPACKET),
        (libc::AF_INET, raw | libc::SOCK_CLOEXEC),
    ] {
        assert_eq!(errno(&sandbox, &format!("{socket}, {family}, {kind}, 0")).await, libc::EPERM, "{family} {kind}");
    }
    // The kernel reads 32 bits of the family; bits above them must not blind the filter.
    let disguised = format!("{socket}, {} | (1 << 32), {raw}, 0", libc::AF_NETLINK);
    assert_eq!(errno(&sandbox, &disguised).await, libc::EPERM);
    for family in [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6] {
        for kind in [stream, datagram, stream | libc::SOCK_CLOEXEC] {
            assert_eq!(errno(&sandbox, &format!("{socket}, {family}, {kind}, 0")).await, 0, "{family} {kind}");
        }
    }
}

#[tokio::test]
async fn init_is_out_of_reach() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    for path in ["/proc/1/root", "/proc/1/cwd", "/proc/1/exe", "/proc/1/fd/0"] {
        assert!(!succeeds(&sandbox, &format!("readlink {path}")).await, "{path}");
        let own = path.replace("/1/", "/self/");
        assert!(succeeds(&sandbox, &format!("readlink {own}")).await, "{own}");
    }
    for file in ["mem", "environ", "maps", "auxv"] {
        assert!(!succeeds(&sandbox, &format!("head -c 1 /proc/1/{file}")).await, "{file}");
    }
    assert!(succeeds(&sandbox, "head -c 1 /proc/self/environ").await);
    assert_eq!(stdout(&sandbox, "kill -9 1; kill -TERM 1; kill -STOP 1; cat /proc/1/comm").await, "init");
    assert!(succeeds(&sandbox, "sleep 100 & kill -9 $!; wait $!; test $? = 137").await);
}

#[tokio::test]
async fn processes_of_the_host_are_out_of_reach() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let mut host = tokio::process::Command::new("sleep").arg("1000").kill_on_drop(true).spawn().unwrap();
    let pid = host.id().unwrap();
    let names = "for process in /proc/[0-9]*; do read name < $process/comm; echo $name; done";
    assert_eq!(stdout(&sandbox, names).await, "init\nsh");
    assert!(!succeeds(&sandbox, &format!("kill -0 {pid}")).await);
    // Everything it may signal: itself and what is inside, though the host's process may have the same uid.
    sh(&sandbox, "kill -9 -1").await;
    assert!(alive(pid) && host.try_wait().unwrap().is_none());
    assert!(succeeds(&sandbox, "true").await);
}

#[tokio::test]
async fn unix_sockets_of_the_host_are_out_of_reach() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let path = maker.path("database.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let name = format!("factory-test-{}", std::process::id());
    let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
    let _abstract_listener = UnixListener::bind_addr(&abstract_name).unwrap();
    // They are there for the host.
    assert!(UnixStream::connect(&path).is_ok() && UnixStream::connect_addr(&abstract_name).is_ok());
    let connect = |address: &str| {
        format!(
            "perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) or die; connect(S, pack_sockaddr_un({address})) or print $!'"
        )
    };
    let by_path = stdout(&sandbox, &connect(&format!("\"{}\"", path.display()))).await;
    assert_eq!(by_path, "No such file or directory");
    assert_eq!(stdout(&sandbox, &connect(&format!("\"\\0{name}\""))).await, "Connection refused");
    let own = "perl -MSocket -e 'my $a = pack_sockaddr_un(\"/tmp/own\"); socket(L, AF_UNIX, SOCK_STREAM, 0); \
               bind(L, $a) && listen(L, 1) or die; socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, $a) or die'";
    assert!(succeeds(&sandbox, own).await);
}

#[tokio::test]
async fn network_is_loopback_only_and_not_the_hosts() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let connect = |host: &str, port: u16| format!("bash -c 'exec 3<>/dev/tcp/{host}/{port}' 2>&1");
    assert!(stdout(&sandbox, &connect("127.0.0.1", port)).await.contains("Connection refused"));
    assert!(stdout(&sandbox, &connect("192.0.2.1", 80)).await.contains("unreachable"));
    assert_eq!(stdout(&sandbox, "ls /proc/sys/net/ipv4/conf | tr '\\n' ' '").await, "all default lo");
    assert!(!succeeds(&sandbox, "getent hosts example.com").await);
    let own = "perl -MIO::Socket::INET -e 'my $l = IO::Socket::INET->new(LocalAddr => \"127.0.0.1\", Listen => 1) or die; \
               IO::Socket::INET->new(PeerAddr => \"localhost\", PeerPort => $l->sockport) or die'";
    assert!(succeeds(&sandbox, own).await);
}

#[tokio::test]
async fn holdout_beside_the_workspace_cannot_be_read() {
    let maker = Maker::new();
    let (work, holdout) = (maker.path("work"), maker.path("holdout"));
    for dir in [&work, &holdout] {
        std::fs::create_dir_all(dir).unwrap();
    }
    std::fs::write(holdout.join("scenario.yaml"), "canary-of-the-holdout").unwrap();
    std::fs::write(work.join("scenario.yaml"), "canary-of-the-workspace").unwrap();
    std::os::unix::fs::symlink(holdout.join("scenario.yaml"), work.join("link")).unwrap();
    let mounts = vec![Mount { host: work, guest: "/work".into(), access: Access::ReadWrite }];
    let sandbox = maker.create_with(Spec { mounts, ..Spec::default() }).await;
    for path in ["/work/link", "/work/../holdout/scenario.yaml", holdout.join("scenario.yaml").to_str().unwrap()] {
        assert!(!succeeds(&sandbox, &format!("cat {path}")).await, "{path}");
    }
    // Nor anywhere else where an agent could look.
    let search = "grep -rlsI --devices=skip canary-of-the / --exclude-dir=proc --exclude-dir=usr; true";
    assert_eq!(stdout(&sandbox, search).await, "/work/scenario.yaml");
}

#[tokio::test]
async fn environment_and_descriptors_of_the_factory_are_absent() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    let ours: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
    assert!(ours.iter().any(|variable| variable.starts_with("CARGO_")), "there is something to leak");
    let theirs = stdout(&sandbox, "env; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'").await;
    let defaults = ["LANG=", "PWD=", "USER=", "HOME=", "PATH=", "_="];
    let leaked: Vec<&str> = theirs
        .lines()
        .filter(|line| !defaults.iter().any(|name| line.starts_with(name)))
        .filter(|line| ours.iter().any(|variable| variable == line) || line.contains("CARGO"))
        .collect();
    assert_eq!(leaked, Vec::<&str>::new());
    assert!(theirs.contains("HOME=/home/user"), "{theirs}");
    // The three standard streams, and the directory that `ls` reads.
    assert_eq!(stdout(&sandbox, "ls /proc/self/fd | tr '\\n' ' '").await, "0 1 2 3");
}

#[tokio::test]
async fn cgroups_and_devices_cannot_be_made_or_changed() {
    let maker = Maker::new();
    let sandbox = maker.create().await;
    assert!(!succeeds(&sandbox, "ls /sys/fs/cgroup").await);
    assert_eq!(stdout(&sandbox, "cut -d: -f3 /proc/self/cgroup | sort -u").await, "/", "the host's path is hidden");
    for script in ["mknod /tmp/sda b 8 0", "mknod /tmp/kmsg c 1 11", "echo b > /proc/sysrq-trigger", "cat /proc/kcore"]
    {
        assert!(!sh(&sandbox, &format!("{script} | grep -q .")).await.status.is_success(), "{script}");
    }
    assert!(succeeds(&sandbox, "mkfifo /tmp/pipe").await);
    assert_eq!(stdout(&sandbox, "cat /proc/keys /proc/timer_list").await, "");
}
