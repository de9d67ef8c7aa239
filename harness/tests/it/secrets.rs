//! Values that are given as secrets: in nothing that a run leaves behind, whatever form they take on the way.

use std::path::Path;

use crate::cli::{harness, repository, text};

/// Sends the secret in every way, gets it back, and fails.
const STORY: &str = r"
vars: { token: none, pin: 0 }
steps:
  - http:
      post: /note
      json: { token: '{{ token }}', pin: '{{ pin }}', loud: '{{ token | upper }}', form: 'a {{ token | b64encode }} b' }
      basic_auth: { user: ann, password: '{{ token }}' }
    expect: { status: 201 }
  - name: 'looks for {{ token }}'
    exec: { argv: [sh, -c, 'echo {{ token }}; echo {{ token | upper }} >&2'] }
    expect: { stdout: { contains: '{{ token }}' } }
  - http: { get: '/note?key={{ token }}', headers: { authorization: 'Bearer {{ token }}' } }
    expect: { status: 418, json: { token: '{{ token }}x', pin: 1 } }
";
const FORMATS: [&str; 9] = ["terminal", "json", "jsonl", "junit", "tap", "ctrf", "github", "markdown", "html"];
const FORMS: [&str; 5] = ["sesame/93", "SESAME/93", "c2VzYW1lLzkz", "sesame%2F93", "471147"];

fn check(what: &str, shown: &str) {
    for form in FORMS {
        assert!(!shown.contains(form), "{form} is in {what}:\n{shown}");
    }
}

/// Every file below a folder.
fn check_files(dir: &Path) -> usize {
    let mut checked = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => checked += check_files(&path),
            false => {
                check(&path.display().to_string(), &String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
                checked += 1;
            }
        }
    }
    checked
}

#[test]
fn a_secret_that_is_given_stands_in_nothing_that_a_run_leaves() {
    let dir = repository(&[("secret", STORY)]);
    // Whatever the subject logs is kept, too.
    let chatty = std::fs::read_to_string(dir.path().join("notes.py")).unwrap();
    let chatty = chatty.replace(
        "def do_GET(self):",
        "def do_GET(self):\n        print(self.path, self.headers, file=sys.stderr, flush=True)",
    );
    std::fs::write(dir.path().join("notes.py"), chatty).unwrap();
    std::fs::write(dir.path().join("secrets.yaml"), "token: sesame/93\n").unwrap();
    let given = ["run", "--secrets-file", "secrets.yaml", "--secret", "pin=471147", "--jsonl", "events.jsonl"];
    let run = harness(dir.path(), &given);
    std::fs::remove_file(dir.path().join("secrets.yaml")).unwrap();
    assert_eq!(run.status.code(), Some(1), "{}{}", text(&run.stdout), text(&run.stderr));
    check("what is printed", &(text(&run.stdout) + &text(&run.stderr)));
    assert!(text(&run.stdout).contains("[redacted]"), "{}", text(&run.stdout));
    assert!(text(&run.stdout).contains("--secrets-file secrets.yaml --secret 'pin=…'"), "{}", text(&run.stdout));
    for format in FORMATS {
        check(format, &text(&harness(dir.path(), &["report", "--format", format]).stdout));
    }
    assert!(check_files(&dir.path().join(".harness")) >= 3, "the manifest, the log and the subject's log");
    check("events.jsonl", &std::fs::read_to_string(dir.path().join("events.jsonl")).unwrap());
    let log = std::fs::read_to_string(dir.path().join(".harness/latest/logs/secret-1.log")).unwrap();
    assert!(log.contains("/note?key=[redacted]"), "{log}");

    let open = harness(dir.path(), &["run", "--resume", "latest", "--var", "token=a", "--var", "pin=1"]);
    assert_eq!(open.status.code(), Some(2));
    assert!(text(&open.stderr).contains("give it again with --secret pin=…"), "{}", text(&open.stderr));
    let twice = harness(dir.path(), &["run", "--var", "pin=1", "--secret", "pin=2"]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(text(&twice.stderr).contains("`pin` is given as a variable and as a secret"), "{}", text(&twice.stderr));
}

#[test]
fn a_variable_is_shown_as_before() {
    let dir = repository(&[("secret", STORY)]);
    let run = harness(dir.path(), &["run", "--var", "token=sesame/93"]);
    assert!(text(&run.stdout).contains("sesame/93"), "{}", text(&run.stdout));
}
