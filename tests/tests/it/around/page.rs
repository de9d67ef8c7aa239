//! `factory up` in a real browser, watching a run that another process drives. Pictures are left in the target's
//! temporary folder. Issue 2, 11.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result};
use e2e_tests::{
    browser::Browser,
    factory::{Workplace, binary},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::SPEC;

/// `factory up`, ended in good order by [`Up::end`]; killed when dropped.
struct Up {
    child: Child,
    url: String,
}

impl Up {
    /// It only shows: the run belongs to the other process.
    fn start(place: &Workplace) -> Result<Self> {
        let mut command = place.factory(["up", "--listen", "127.0.0.1:0", "--no-worker", "--json"]);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("piped")?).read_line(&mut line)?;
        let said: Value =
            serde_json::from_str(&line).with_context(|| format!("{} said {line}", binary("factory").display()))?;
        let url = said["url"].as_str().context("an address")?.trim_end_matches('/').to_owned();
        Ok(Self { child, url })
    }

    fn end(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "{status}");
        Ok(())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn keep(browser: &mut Browser, name: &str) -> Result<()> {
    let picture = browser.screenshot().await?;
    Ok(std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("up-{name}.png")), picture)?)
}

async fn page(browser: &mut Browser, url: &str, name: &str) -> Result<String> {
    browser.goto(url).await?;
    // Closed parts are on the page, too.
    browser.eval("document.querySelectorAll('details').forEach((it) => { it.open = true })").await?;
    keep(browser, name).await?;
    let text = browser.eval("document.querySelector('main').innerText").await?;
    Ok(text.as_str().context("a text")?.to_owned())
}

/// The address of the first link that fits.
async fn link(browser: &mut Browser, selector: &str) -> Result<String> {
    let href = browser.eval(&format!("document.querySelector({selector:?})?.href")).await?;
    Ok(href.as_str().with_context(|| format!("no link {selector}"))?.to_owned())
}

#[tokio::test]
async fn a_run_of_another_process_is_followed_live_and_every_part_of_it_can_be_opened() -> Result<()> {
    let place = Workplace::init();
    let up = Up::start(&place)?;
    let mut browser = Browser::launch().await?;
    browser.size(1280, 900).await?;
    browser.goto(&up.url).await?;
    browser.wait_for("document.getElementById('link').textContent === 'live'").await?;

    let mut running = place.start(&["run", SPEC]);
    let created = running.until(|event| event.body.kind() == "run.created").context("a run")?;
    let run = format!("{}/runs/{}", up.url, created.stream);
    browser.goto(&run).await?;
    browser.eval("window.stillHere = true").await?;
    let ended = tokio::task::spawn_blocking(move || running.end()).await?;
    ended.expect_status(0);
    browser.wait_for("document.querySelector('.lead').textContent.includes('held over fresh trials')").await?;
    browser.wait_for("document.getElementById('link').textContent === 'finished'").await?;
    assert_eq!(browser.eval("window.stillHere").await?, true, "the page was reloaded");
    assert_eq!(browser.eval("document.querySelectorAll('.matrix .trial.unsatisfied').length").await?, 5);
    keep(&mut browser, "run").await?;

    let visible = link(&mut browser, "a.trial.satisfied[href*='/visible/']").await?;
    let holdout = link(&mut browser, "a.trial.unsatisfied[href*='/holdout/']").await?;
    let agent = link(&mut browser, "a[href*='/agent/']").await?;
    visible_trajectory(&mut browser, &visible).await?;
    holdout_trajectory(&mut browser, &holdout).await?;

    let transcript = page(&mut browser, &agent, "agent").await?;
    for part in ["A small service; I write it", "write_file", "compiled", "The service stands."] {
        assert!(transcript.contains(part), "no `{part}` in the transcript:\n{transcript}");
    }
    place.verified();
    let audit = page(&mut browser, &format!("{}/audit", up.url), "audit").await?;
    assert!(audit.contains("Every chain was recomputed") && audit.contains("b3:"), "{audit}");
    let specs = page(&mut browser, &up.url, "specs").await?;
    assert!(specs.contains("A service that greets people"), "{specs}");
    assert_eq!(browser.console_errors(), [] as [String; 0]);
    drop(browser);
    up.end()?;
    place.assert_nothing_runs();
    Ok(())
}

async fn visible_trajectory(browser: &mut Browser, url: &str) -> Result<()> {
    let text = page(browser, url, "visible").await?;
    for part in ["GET /hello", "Request", "Response", "\"status\": 200", "Hello, ", "called no twin"] {
        assert!(text.contains(part), "no `{part}` in the trajectory:\n{text}");
    }
    assert_eq!(browser.eval("document.querySelectorAll('.trajectory > .passed').length").await?, 1);
    Ok(())
}

/// The off-by-one of the first build: what was expected, what came, and why, for people only.
async fn holdout_trajectory(browser: &mut Browser, url: &str) -> Result<()> {
    let text = page(browser, url, "holdout").await?;
    for part in [
        "theme: limits",
        "shown to people only",
        "status: expected 200, got 422",
        "\"method\": \"GET\"",
        "\"status\": 422",
    ] {
        assert!(text.to_lowercase().contains(&part.to_lowercase()), "no `{part}` in the trajectory:\n{text}");
    }
    assert_eq!(browser.eval("document.querySelectorAll('.trajectory > .broken .checks .broken').length").await?, 2);
    Ok(())
}
