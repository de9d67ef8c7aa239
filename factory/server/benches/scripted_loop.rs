//! One whole scripted loop: the example that `factory init` writes, from spec to branch, by the real binary.
//!
//! Process start, private Postgres (warm), two builds in sandboxes, five gradings, the branch. Run it alone:
//! `cargo bench -p factory-server`. Nothing in it is a mock but the model.

use std::{path::Path, process::Command, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};

fn run(folder: &Path, home: &Path, program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("FACTORY_HOME", home)
        .env_remove("ANTHROPIC_API_KEY")
        .env_remove("OPENAI_API_KEY")
        .env_remove("GEMINI_API_KEY")
        .env_remove("OLLAMA_BASE_URL")
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn benches(criterion: &mut Criterion) {
    let factory = env!("CARGO_BIN_EXE_factory");
    let repository = tempfile::tempdir().expect("a folder");
    let home = tempfile::tempdir().expect("a folder");
    let git = |arguments: &[&str]| run(repository.path(), home.path(), "git", arguments);
    git(&["init", "--quiet"]);
    run(repository.path(), home.path(), factory, &["init"]);
    git(&["add", "-A"]);
    git(&["-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "--quiet", "-m", "spec"]);
    let mut group = criterion.benchmark_group("loop");
    group.sample_size(10).measurement_time(Duration::from_secs(60));
    group.bench_function("scripted greeting, two iterations", |bencher| {
        bencher.iter(|| run(repository.path(), home.path(), factory, &["run", "specs/greeting.md"]));
    });
    group.finish();
}

criterion_group!(scripted_loop, benches);
criterion_main!(scripted_loop);
