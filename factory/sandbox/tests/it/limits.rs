//! Bombs: each hits its limit, the sandbox and the host live on, and the same thing within the limit works.

use factory_sandbox::{Access, Command, Exit, Limits, Mount, Spec, Tier};

use crate::support::{Maker, sh, text};

const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn fork_bomb_hits_the_process_limit() {
    let maker = Maker::new();
    let limits = Limits { processes: 40, ..Limits::default() };
    let sandbox = maker.create_with(Spec { limits, ..Spec::default() }).await;
    let bomb = "for (1..400) { my $p = fork; last if !defined $p; if (!$p) { sleep 1000; exit } $n++ } print $n+0";
    let forked: u64 = text(&sh(&sandbox, &format!("perl -e '{bomb}'")).await.stdout).parse().unwrap();
    assert!((20..40).contains(&forked), "{forked} processes");
    // A new command still starts, and can clean up.
    assert!(sandbox.run(Command::new(["perl", "-e", "kill 9, -1"])).await.is_ok());
    let forked: u64 = text(&sh(&sandbox, &format!("perl -e '{bomb}'")).await.stdout).parse().unwrap();
    assert!(forked >= 20, "{forked} processes");
}

#[tokio::test]
async fn memory_bomb_is_killed_and_the_sandbox_lives() {
    let maker = Maker::new();
    let limits = Limits { memory_bytes: 96 * MIB, ..Limits::default() };
    let sandbox = maker.create_with(Spec { limits, ..Spec::default() }).await;
    let grab = |mib: u64| perl(format!("my $x = \"a\" x ({mib} * 1024 * 1024); print length $x"));
    let output = sandbox.run(grab(400)).await.unwrap();
    assert!(!output.status.is_success(), "{output:?}");
    let output = sandbox.run(grab(16)).await.unwrap();
    assert!(output.status.is_success(), "{output:?}");
}

#[tokio::test]
async fn memory_of_many_processes_is_limited_together_where_cgroups_allow() {
    let maker = Maker::new();
    let limits = Limits { memory_bytes: 96 * MIB, ..Limits::default() };
    let sandbox = maker.create_with(Spec { limits, ..Spec::default() }).await;
    // Eight processes of 32 MiB, each within the limit, all too much for it. The parent waits until each holds its
    // memory or is dead, then counts the dead.
    let script = r#"
        for (1..8) {
            pipe(R, W);
            if (!fork) { my $x = "a" x (32 << 20); syswrite(W, "h"); sleep 1000; exit }
            close W; sysread(R, my $held, 1);
        }
        my $dead = 0;
        $dead++ while waitpid(-1, 1) > 0;
        print $dead"#;
    let output = sandbox.run(perl(script.to_owned())).await.unwrap();
    let dead: u32 = text(&output.stdout).parse().unwrap_or_else(|_| panic!("{output:?}"));
    match tokio::task::spawn_blocking(move || maker.sandboxes.probe().limits).await.unwrap() {
        Tier::V1 | Tier::V2 => assert!(dead > 0, "all eight lived"),
        Tier::PerProcess { reason } => assert!(dead == 0 && !reason.is_empty(), "{dead} died; {reason}"),
    }
}

#[tokio::test]
async fn disk_bomb_fills_only_the_sandbox() {
    let maker = Maker::new();
    let limits = Limits { tmp_bytes: 4 * MIB, shm_bytes: 4 * MIB, ..Limits::default() };
    let sandbox = maker.create_with(Spec { limits, ..Spec::default() }).await;
    for dir in ["/tmp", "/home/user", "/dev/shm"] {
        let output = sh(&sandbox, &format!("head -c 2000000 /dev/zero > {dir}/small")).await;
        assert!(output.status.is_success(), "{dir}: {output:?}");
        let output = sh(&sandbox, &format!("head -c 8000000 /dev/zero > {dir}/large")).await;
        assert!(text(&output.stderr).contains("No space left"), "{dir}: {output:?}");
    }
}

#[tokio::test]
async fn file_in_a_mount_cannot_outgrow_its_limit() {
    let maker = Maker::new();
    let work = maker.path("work");
    std::fs::create_dir_all(&work).unwrap();
    let mounts = vec![Mount { host: work.clone(), guest: "/work".into(), access: Access::ReadWrite }];
    let limits = Limits { file_size_bytes: MIB, ..Limits::default() };
    let sandbox = maker.create_with(Spec { mounts, limits, ..Spec::default() }).await;
    let write = |bytes: u64| {
        Command::new(["dd", "if=/dev/zero", "of=/work/file", "bs=1024", &format!("count={}", bytes / 1024)])
    };
    assert_eq!(sandbox.run(write(2 * MIB)).await.unwrap().status, Exit::Signal(25), "SIGXFSZ");
    assert_eq!(std::fs::metadata(work.join("file")).unwrap().len(), MIB);
    assert!(sandbox.run(write(MIB / 2)).await.unwrap().status.is_success());
}

#[tokio::test]
async fn descriptors_and_core_dumps_are_limited() {
    let maker = Maker::new();
    let limits = Limits { open_files: 64, ..Limits::default() };
    let sandbox = maker.create_with(Spec { limits, ..Spec::default() }).await;
    assert_eq!(text(&sh(&sandbox, "ulimit -n; ulimit -c; ulimit -Hn").await.stdout), "64\n0\n64");
}

fn perl(script: String) -> Command {
    Command::new(["perl".to_owned(), "-e".to_owned(), script])
}
