//! Completions as the shells take them. The set-up of the tests installs zsh and fish; bash is everywhere.

use std::process::Command;

use crate::cli::text;

/// What a shell prints that has loaded the completions; `None` where it is not here and cannot be installed.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn said(shell: &str, arguments: &[&str], script: &str) -> Option<String> {
    let home = tempfile::tempdir().unwrap();
    let script = script.replace("HARNESS", env!("CARGO_BIN_EXE_harness"));
    let mut command = Command::new(shell);
    command.args(arguments).args(["-c", &script]).env("HOME", home.path()).env("XDG_CONFIG_HOME", home.path());
    let output = match command.output() {
        // Without root's rights the set-up has no place for it.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !rustix::process::geteuid().is_root() => {
            eprintln!("NOT TESTED: there is no {shell} here, and only root can install it");
            return None;
        }
        output => output.unwrap_or_else(|error| panic!("{shell}: {error}; run bin/test, which installs it")),
    };
    assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {}", text(&output.stderr));
    Some(text(&output.stdout))
}

#[test]
fn bash_completes_commands_and_options() {
    let script = r#"
        source <(HARNESS completions bash)
        complete -p harness >/dev/null
        try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _harness harness "${!#}" "${@:$#-1:1}"; echo "${COMPREPLY[*]}"; }
        try harness re
        try harness run --secrets
    "#;
    assert_eq!(said("bash", &["--norc", "--noprofile"], script).unwrap(), "report record\n--secrets-file\n");
}

#[test]
fn zsh_loads_what_completes_harness() {
    let script = r#"
        autoload -Uz compinit && compinit -D -u
        source <(HARNESS completions zsh)
        print -r -- $_comps[harness] $+functions[_harness]
        (( ${${(f)"$(functions _harness_commands)"}[(I)*record*]} )) && print record
    "#;
    if let Some(said) = said("zsh", &["-f"], script) {
        assert_eq!(said, "_harness 1\nrecord\n");
    }
}

#[test]
fn fish_completes_commands_and_options() {
    let script = r#"
        HARNESS completions fish | source
        complete -C 'harness reco' | string split -f1 \t
        complete -C 'harness run --secrets' | string split -f1 \t
    "#;
    if let Some(said) = said("fish", &["--no-config"], script) {
        assert_eq!(said, "record\n--secrets-file\n");
    }
}
