//! Subjects as processes: started with nothing but what was asked for, killed with everything that they left.

use std::time::Duration;

use harness::{ProcessLauncher, Unobserved, Verdict, run};

use crate::kit::{config, plan, processes, python, python_ready, python_trial, scenario, suite, tls};

const GET_NOTE: &str = "steps: [{ http: { get: /note }, expect: { status: 404 } }]";

fn is_alive(pid: &str) -> bool {
    // A zombie is dead: nobody has collected it yet.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

async fn wait_dead(pid: &str) {
    for _ in 0..1_000 {
        if !is_alive(pid) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("process {pid} still lives");
}

#[tokio::test]
async fn data_survives_a_kill_and_trials_share_nothing() {
    let rest = r#"
steps:
  - http: { get: /note }
    expect: { status: 404 }
  - http: { post: /note, json: { text: "{{ uid }}" } }
    expect: { status: 201 }
  - restart: { signal: kill }
  - http: { get: /note }
    expect: { json_exact: { text: "{{ uid }}" } }
  - stop: { signal: term }
  - start: {}
  - http: { get: /note }
    expect: { json_exact: { text: "{{ uid }}" } }
"#;
    let mut plan = plan(suite(vec![scenario("a", rest)]), python(""));
    plan.trials = 2;
    let report = crate::kit::report(plan, &processes()).await;
    let failures: Vec<_> = report.records.iter().map(|record| &record.failure).collect();
    assert!(report.records.iter().all(|record| record.verdict == Verdict::Satisfied), "{failures:#?}");
}

#[tokio::test]
async fn a_stopped_subject_does_not_answer() {
    let rest = "steps: [{ stop: {} }, { http: { get: /note }, expect: { status: 404 } }]";
    let message = python_trial(python(""), rest).await.failure.unwrap().message;
    assert!(message.contains("refused"), "{message}");
}

#[tokio::test]
async fn a_subject_that_dies_in_the_story_leaves_its_last_words() {
    // The retry gives the kernel time to bury the process after its sockets are closed.
    let rest = "steps: [{ http: { get: /crash }, expect: { status: 200 }, retry: { until_pass_within: 500ms } }]";
    let record = python_trial(python(""), rest).await;
    let message = record.failure.unwrap().message;
    assert!(message.ends_with("the subject has ended by itself with exit code 7"), "{message}");
    assert!(record.subject_log.contains("ledger is corrupt"), "{}", record.subject_log);
}

#[tokio::test]
async fn an_early_exit_fails_with_the_last_words() {
    let failure = python_trial(python("exits_early"), GET_NOTE).await.failure.unwrap();
    assert_eq!((failure.step, failure.name.as_str()), (0, "start the subject"));
    assert!(
        failure.message.contains("ended early with exit code 3; the end of its log:\ncannot open the ledger"),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_subject_whose_port_is_taken_fails_with_its_words() {
    let holds = "import os, socket, subprocess, sys; held = socket.create_server(('127.0.0.1', int(os.environ['PORT']))); \
                 sys.exit(subprocess.call([sys.executable, 'notes.py']))";
    let yaml = format!(
        "subject: notes\nstart: {{ argv: [python3, -c, {holds:?}], env: {{ PORT: \"{{{{ port }}}}\", DATA_DIR: \"{{{{ data_dir }}}}\" }} }}\nready: {{ http: /health, within: 20s }}\n"
    );
    let record = python_trial(config(&yaml), GET_NOTE).await;
    assert_eq!(record.verdict, Verdict::Unsatisfied);
    let message = record.failure.unwrap().message;
    assert!(message.contains("ended early with exit code 1; the end of its log:"), "{message}");
    assert!(message.contains("Address already in use"), "{message}");
}

#[tokio::test]
async fn a_subject_that_is_never_ready_fails() {
    let record = python_trial(python_ready("never_ready", "{ http: /health, within: 300ms }"), GET_NOTE).await;
    assert_eq!(record.verdict, Verdict::Unsatisfied);
    let message = record.failure.unwrap().message;
    assert!(message.contains("`GET /health` to answer 2xx within 300ms"), "{message}");
}

#[tokio::test]
async fn a_log_line_of_a_megabyte_stays_bounded() {
    let message = python_trial(python("long_line"), GET_NOTE).await.failure.unwrap().message;
    assert!(message.ends_with("the last words"), "the end is kept");
    assert!(message.len() < 16 * 1024, "{} bytes", message.len());
}

#[tokio::test]
async fn a_subject_that_prints_a_gigabyte_is_not_slowed_down_and_its_log_stays_bounded() {
    let rest = "steps: [{ http: { get: /note }, expect: { status: 200 } }]";
    let record = python_trial(python("prints_a_gigabyte"), rest).await;
    let message = record.failure.unwrap().message;
    assert!(message.starts_with("status: expected 200, got 404"), "it served all the same: {message}");
    assert!(record.subject_log.contains("the log is full"), "{} bytes", record.subject_log.len());
}

#[tokio::test]
async fn a_subject_that_ignores_the_request_to_end_is_killed() {
    let rest = "steps: [{ http: { get: /pid }, capture: { pid: $ } }, { stop: { signal: term } }, \
                { exec: { argv: [test, '!', '-e', '/proc/{{ pid }}'] }, expect: { exit: 0 } }]";
    let record = python_trial(python("ignores_sigterm"), rest).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
}

#[tokio::test]
async fn the_log_can_be_the_sign() {
    let ready = "{ log: \"ledger opened at .*note.json\", within: 20s }";
    // The line comes just before the port is bound.
    let rest = "steps: [{ http: { get: /note }, expect: { status: 404 }, retry: { until_pass_within: 20s } }]";
    let record = python_trial(python_ready("talks", ready), rest).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
    let silent = python_ready("", "{ log: \"ledger opened\", within: 200ms }");
    assert_eq!(python_trial(silent, GET_NOTE).await.verdict, Verdict::Unsatisfied);
}

#[tokio::test]
async fn a_daemon_that_escapes_is_killed_and_named() {
    let record = python_trial(python("leaves_a_daemon"), GET_NOTE).await;
    let [leak] = &record.leaked[..] else { panic!("one leak is expected: {:?}", record.leaked) };
    let (pid, name) = leak.split_once(' ').unwrap();
    assert_eq!(name, "sleep");
    wait_dead(pid).await;
}

#[tokio::test]
async fn only_the_environment_that_was_asked_for_is_passed() {
    let host = [("PATH", std::env::var("PATH").unwrap()), ("DB_PASSWORD", "x".into()), ("REGION", "eu".into())];
    let launcher = ProcessLauncher::new(host.map(|(name, value)| (name.to_owned(), value)));
    let yaml = "subject: notes\nstart: { argv: [python3, notes.py], env: { PORT: \"{{ port }}\", DATA_DIR: \"{{ data_dir }}\" } }\n\
                ready: { http: /health, within: 20s }\nenv_allow: [REGION, ABSENT]\n";
    let rest = "steps: [{ http: { get: /env }, expect: { jsonpath: [{ path: $.DB_PASSWORD, exists: false }, { path: $.REGION, equals: eu }, \
                { path: $.ABSENT, exists: false }, { path: $.TMPDIR, ends_with: /tmp }] } }]";
    let report = crate::kit::report(plan(suite(vec![scenario("a", rest)]), config(yaml)), &launcher).await;
    assert_eq!(report.records[0].verdict, Verdict::Satisfied, "{:?}", report.records[0].failure);
}

#[tokio::test]
async fn a_missing_interpreter_is_the_machines_fault_and_a_missing_file_the_subjects() {
    let subject = |program: &str| config(&format!("subject: a\nstart: {{ argv: [{program}] }}\n"));
    let record = python_trial(subject("no-such-interpreter"), GET_NOTE).await;
    assert_eq!((record.verdict, record.attempt), (Verdict::Infra, 2));
    assert!(record.failure.unwrap().message.contains("cannot start `no-such-interpreter`"));
    let record = python_trial(subject("./no-such-file"), GET_NOTE).await;
    assert_eq!((record.verdict, record.attempt), (Verdict::Unsatisfied, 1));
}

#[tokio::test]
async fn dropping_a_run_kills_its_subjects() {
    tls();
    let rest = "steps: [{ http: { get: /pid }, expect: { status: 200 } }, { wait: { for: 60s } }]";
    let plan = plan(suite(vec![scenario("a", rest)]), python(""));
    let noted = PidOf::default();
    let launcher = processes();
    {
        let running = run(plan, &launcher, None, &noted);
        tokio::select! {
            report = running => panic!("it cannot end by itself: {report:?}"),
            () = noted.seen.notified() => {}
        }
    }
    let pid = noted.pid.lock().unwrap().clone();
    wait_dead(&pid).await;
}

/// Notices the pid that the subject tells.
#[derive(Default)]
struct PidOf {
    pid: std::sync::Mutex<String>,
    seen: tokio::sync::Notify,
}

#[async_trait::async_trait]
impl harness::Observer for PidOf {
    async fn step_finished(&self, _: &harness::TrialId, step: &harness::StepRecord) {
        if let Some(pid) = step.evidence["response"]["body"].as_str() {
            pid.clone_into(&mut self.pid.lock().unwrap());
            self.seen.notify_one();
        }
    }
}

#[tokio::test]
async fn a_broken_build_fails_every_trial_without_starting_any() {
    let build = "subject: a\nbuild: { argv: [sh, -c, 'echo no rule for target; exit 2'] }\nstart: { argv: [python3, none.py] }\n";
    let mut plan = plan(suite(vec![scenario("a", GET_NOTE), scenario("b", GET_NOTE)]), config(build));
    plan.trials = 2;
    let report = crate::kit::report(plan, &processes()).await;
    assert_eq!((report.executed, report.count().valid, report.count().satisfied), (4, 4, 0));
    let message = &report.records[0].failure.as_ref().unwrap().message;
    assert_eq!(message, "the build ended with exit code 2\nno rule for target");
}

#[tokio::test]
async fn an_unobserved_run_is_fine() {
    tls();
    let plan = plan(suite(vec![scenario("a", GET_NOTE)]), python(""));
    assert_eq!(run(plan, &processes(), None, &Unobserved).await.unwrap().exit_code(), 0);
}
