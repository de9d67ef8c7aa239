//! The page as a browser sees it.

use serde_json::json;

use super::{Gallery, html};
use crate::{
    record::Verdict,
    report::{Report, samples},
    scenario::Kind,
};

const EVIL: &str = "</script></style></pre><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">{{ 7*7 }}\u{202e}";

/// A run whose subject writes markup wherever it can.
fn hostile() -> (Report, Gallery) {
    let mut gallery = Gallery::default();
    let mut report = samples::report();
    for mut record in samples::records() {
        record.subject_log = EVIL.to_owned();
        record.leaked = vec![EVIL.to_owned()];
        record.failure.iter_mut().for_each(|failure| failure.message = EVIL.to_owned());
        record.steps[0].name = EVIL.to_owned();
        record.steps[0].mismatches = vec![EVIL.to_owned(), format!("json $.a: expected {EVIL}, got {EVIL}")];
        record.steps[0].evidence = json!({
            "request": { "method": EVIL, "path": EVIL, "headers": { EVIL: EVIL }, "body": EVIL },
            "response": { "status": 200, "headers": { EVIL: EVIL }, "body": json!({ EVIL: EVIL, "a": EVIL }).to_string() },
            EVIL: [EVIL],
        });
        gallery.add(&record);
    }
    report.subject = EVIL.to_owned();
    report.scenarios.iter_mut().for_each(|scenario| scenario.title = EVIL.to_owned());
    (report, gallery)
}

#[test]
fn nothing_that_a_subject_wrote_is_markup() {
    let (report, gallery) = hostile();
    let page = html(&report, &gallery);
    assert!(!page.contains("<img") && !page.contains("<script>") && !page.contains('\u{202e}'));
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("{{ 7*7 }}"), "a template in a body is text");
}

#[test]
fn the_page_needs_nothing_else() {
    let (report, gallery) = hostile();
    let page = html(&report, &gallery);
    for reference in [" src=", "href=", "url(", "@import", "fetch(", "XMLHttpRequest"] {
        let of_subject = EVIL.replace('<', "&lt;").contains(reference) || EVIL.contains(reference);
        assert!(of_subject || !page.contains(reference), "{reference}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn a_holdout_says_so() {
    let mut report = samples::report();
    assert!(!html(&report, &Gallery::default()).contains("must not see"));
    report.suite = Kind::Holdout;
    assert!(html(&report, &Gallery::default()).contains("must not see"));
}

#[test]
fn a_report_without_records_shows_its_failures() {
    let page = html(&samples::report(), &Gallery::default());
    assert!(page.contains("status: expected 200, got 402") && page.contains("trial 1 is not counted"));
}

#[test]
fn what_a_file_says_not_to_run_is_listed_with_its_reason() {
    let page = html(&samples::with_skipped(), &Gallery::default());
    assert!(page.contains("<b>later</b> not &lt;built&gt; yet") && page.contains(", 1 skipped"), "{page}");
    assert!(!html(&samples::good(), &Gallery::default()).contains("aria-label=\"skipped\""));
}

#[test]
fn what_is_cut_is_told() {
    let mut gallery = Gallery::default();
    let mut record = samples::record("bad", 1, Verdict::Unsatisfied);
    record.steps[0].evidence = json!("x".repeat(40 * 1024 * 1024));
    gallery.add(&record);
    let page = html(&samples::report(), &gallery);
    assert!(page.len() < 1024 * 1024 && page.contains("too large for this page"), "{}", page.len());
}

/// In a real browser, if one is here: the page's own script runs, and nothing of the subject's does.
#[test]
fn a_browser_runs_only_the_pages_own_script() {
    let (report, gallery) = hostile();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("page.html");
    std::fs::write(&path, html(&report, &gallery)).unwrap();
    let profile = format!("--user-data-dir={}", dir.path().join("profile").display());
    let url = format!("file://{}", path.display());
    let dom =
        samples::piped("chromium", &["--headless", "--no-sandbox", "--disable-gpu", &profile, "--dump-dom", &url], "");
    assert!(dom.contains("<title>not satisfied: "), "{}", &dom[..dom.len().min(600)]);
    assert!(!dom.contains("<title>owned") && !dom.contains("<img"));
    assert!(
        dom.contains("4 of 4 scenarios") || !dom.contains("role=\"search\" aria-label=\"scenarios\" hidden"),
        "the own script ran"
    );
}
