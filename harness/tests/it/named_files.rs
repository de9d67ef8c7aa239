//! What scenarios name belongs to their suite: bodies, schemas, what templates read.

use std::{fs, os::unix::fs::symlink, path::Path};

use harness::{Kind, Suite, SuiteFile};

const FRAGMENT: &str = "steps_of: greet\nsteps: [{ exec: { argv: [echo, \"{{ file('words/hello.txt') }}\"] } }]\n";

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn steps(slug: &str, steps: &str) -> String {
    format!(
        "scenario: {slug}\ntitle: {slug}\nsteps:\n{steps}  - {{ exec: {{ argv: [true] }}, expect: {{ exit: 0 }} }}\n"
    )
}

fn suite(folder: &Path) -> Suite {
    Suite::load(&[folder.to_owned()], Kind::Visible).unwrap_or_else(|error| panic!("{error}"))
}

fn paths(files: &[SuiteFile]) -> Vec<String> {
    let mut paths: Vec<_> = files.iter().map(|file| file.path.display().to_string()).collect();
    paths.sort();
    paths
}

/// The files of a suite of one scenario in `all/suite`.
fn files_of(scenario: &str, others: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("all/suite/a.yaml", scenario)]);
    write(dir.path(), others);
    let files = suite(&dir.path().join("all/suite")).files().map_err(|error| error.to_string())?;
    Ok(paths(&files))
}

#[test]
fn a_suite_can_be_copied_with_all_that_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let posts = steps(
        "posts",
        "  - http: { post: /, file: bodies/a.json }\n    expect: { json_schema: ../../schemas/answer.json }\n  \
         - http: { post: /, multipart: { picture: { file: bodies/p.png } }, tls: { ca: ca.pem } }\n  \
         - use: ../../steps/greet.yaml\n",
    );
    let reads = steps("reads", "  - http: { post: /, text: \"{{ file('b.txt') }} and {{ file(\\\"c.txt\\\") }}\" }\n");
    write(
        &from,
        &[
            ("scenarios/shop/posts.yaml", &posts),
            ("scenarios/shop/reads.yaml", &reads),
            ("scenarios/shop/bodies/a.json", "{}"),
            ("scenarios/shop/bodies/p.png", "png"),
            ("scenarios/shop/bodies/unused.json", "{}"),
            ("scenarios/shop/ca.pem", ""),
            ("scenarios/shop/b.txt", "b"),
            ("scenarios/shop/c.txt", "c"),
            ("schemas/answer.json", "{}"),
            ("steps/greet.yaml", FRAGMENT),
            ("steps/words/hello.txt", "hello"),
            ("harness.yaml", "subject: a\n"),
        ],
    );
    let first = suite(&from.join("scenarios/shop"));
    let files = first.files().unwrap();
    let all = [
        "scenarios/shop/b.txt",
        "scenarios/shop/bodies/a.json",
        "scenarios/shop/bodies/p.png",
        "scenarios/shop/c.txt",
        "scenarios/shop/ca.pem",
        "scenarios/shop/posts.yaml",
        "scenarios/shop/reads.yaml",
        "schemas/answer.json",
        "steps/greet.yaml",
        "steps/words/hello.txt",
    ];
    let sorted = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(paths(&files), sorted(all.to_vec()));
    let of_reads = first.scenarios.iter().find(|scenario| scenario.slug == "reads").unwrap();
    let own = ["scenarios/shop/b.txt", "scenarios/shop/c.txt", "scenarios/shop/reads.yaml"];
    assert_eq!(paths(&first.files_of(of_reads).unwrap()), sorted(own.to_vec()));

    for file in &files {
        let path = to.join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &file.content).unwrap();
    }
    fs::remove_dir_all(&from).unwrap();
    let copied = suite(&to);
    let contents = |files: Vec<SuiteFile>| files.into_iter().map(|file| file.content).collect::<Vec<_>>();
    assert_eq!(contents(copied.files().unwrap()), contents(files), "in the same order");
}

#[test]
fn a_name_that_a_template_makes_may_be_that_of_any_file_below() {
    let others = [("all/suite/deep/b.json", "b"), ("all/suite/c.json", "c"), ("all/suite/.hidden", ""), ("all/d", "")];
    let all = ["suite/a.yaml", "suite/c.json", "suite/deep/b.json"].map(|path| path.trim_start_matches("suite/"));
    for step in [
        "  - http: { post: /, file: \"{{ uid }}.json\" }\n",
        "  - http: { post: /, text: \"{{ file(uid ~ '.json') }}\" }\n",
        "  - http: { post: /, text: \"{% set read = file %}{{ read('c.json') }}\" }\n",
    ] {
        assert_eq!(files_of(&steps("a", step), &others).unwrap(), all, "{step}");
    }
    let plain =
        steps("a", "  - http: { post: /, text: \"a file('c.json') is no call outside of a template {{ uid }}\" }\n");
    assert_eq!(files_of(&plain, &others).unwrap(), ["a.yaml"]);
}

#[test]
fn what_is_missing_and_what_leads_out_is_refused() {
    let reads = |name: &str| steps("a", &format!("  - http: {{ post: /, text: \"{{{{ file('{name}') }}}}\" }}\n"));
    let missing = files_of(&reads("none.txt"), &[]).unwrap_err();
    assert!(missing.contains("none.txt, which a scenario names: No such file"), "{missing}");
    // It is refused where it is read; no file of elsewhere is taken along.
    assert_eq!(files_of(&reads("../d"), &[("all/d", "")]).unwrap(), ["a.yaml"]);

    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("suite/a.yaml", &reads("link")), ("secret", "s")]);
    symlink("../secret", dir.path().join("suite/link")).unwrap();
    let refused = suite(&dir.path().join("suite")).files().unwrap_err().to_string();
    assert!(refused.contains("it is a link that leads out of the folder"), "{refused}");
}
