//! The same pages in a real browser. Pictures are left in the target's temporary folder.

use std::{path::Path, sync::Arc};

use anyhow::Result;
use e2e_tests::{browser::Browser, fixtures::factory::Factory};
use jiff::Timestamp;
use model::{
    budget::Spend,
    event::{
        grade::{TrialFinished, TrialVerdict},
        run::Finished,
    },
    id::ActionId,
    verdict::{Suite, Verdict},
};

const PHONE: (u32, u32) = (390, 844);
const DESK: (u32, u32) = (1280, 900);

/// The demo at a loopback address.
async fn serve(factory: &Factory) -> Result<String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = dashboards::router(Arc::new(factory.clone()));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(format!("http://{address}"))
}

fn paths(factory: &Factory) -> Vec<(&'static str, String)> {
    let run = factory.run_of("checkout");
    let holdout = "trials/holdout/retried-timeout-charges-once/1?action=holdout%2F1%2F1";
    vec![
        ("specs", "/".to_owned()),
        ("runs", "/runs".to_owned()),
        ("run", format!("/runs/{run}")),
        ("run-failed", format!("/runs/{}", factory.run_of("stock"))),
        ("run-active", format!("/runs/{}", factory.run_of("reminders"))),
        ("run-parked", format!("/runs/{}", factory.run_of("export"))),
        ("trial", format!("/runs/{run}/{holdout}")),
        ("agent", format!("/runs/{run}/agent/build/1/1")),
        ("events", format!("/runs/{run}/events")),
        ("audit", "/audit".to_owned()),
    ]
}

async fn keep(browser: &mut Browser, name: &str) -> Result<()> {
    let picture = browser.screenshot().await?;
    Ok(std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dashboards-{name}.png")), picture)?)
}

#[tokio::test]
async fn every_page_loads_without_a_complaint_and_fits_a_phone() -> Result<()> {
    let factory = Factory::demo();
    let base = serve(&factory).await?;
    let mut browser = Browser::launch().await?;
    for (name, path) in paths(&factory) {
        browser.size(DESK.0, DESK.1).await?;
        browser.goto(&format!("{base}{path}")).await?;
        assert_eq!(browser.eval("document.querySelectorAll('h1').length").await?, 1, "{name}");
        keep(&mut browser, name).await?;
        browser.size(PHONE.0, PHONE.1).await?;
        browser.goto(&format!("{base}{path}")).await?;
        let widest = browser.eval("document.documentElement.scrollWidth").await?;
        keep(&mut browser, &format!("{name}-phone")).await?;
        assert_eq!(widest, PHONE.0, "{name} scrolls sideways");
    }
    assert_eq!(browser.console_errors(), [] as [String; 0]);
    Ok(())
}

#[tokio::test]
async fn what_happens_appears_without_a_reload_and_keeps_the_readers_place() -> Result<()> {
    let factory = Factory::demo();
    let base = serve(&factory).await?;
    let run = factory.run_of("reminders");
    let mut browser = Browser::launch().await?;
    browser.goto(&format!("{base}/runs/{run}")).await?;
    browser.wait_for("document.getElementById('link').textContent === 'live'").await?;
    browser.eval("window.stillHere = true; document.querySelector('a.trial').focus()").await?;
    let held = browser.eval("document.activeElement.href").await?;

    let trial = TrialFinished {
        action: ActionId::new("visible", 1, 1),
        suite: Suite::Visible,
        scenario: "arrives-while-you-look".to_owned(),
        requirements: vec!["R1".to_owned()],
        trial: 1,
        verdict: TrialVerdict::Unsatisfied,
        failure: None,
        duration_ms: 12,
        record: None,
    };
    factory.emit(&run, Timestamp::now(), trial);
    browser.wait_for("document.querySelector('.matrix')?.textContent.includes('arrives-while-you-look')").await?;
    assert_eq!(browser.eval("document.activeElement.href").await?, held, "the update took the focus away");

    let (verdict, reason) = (Verdict::Satisfied, "It held over fresh trials.".to_owned());
    factory.emit(&run, Timestamp::now(), Finished { verdict, reason, spent: Spend::default(), at: Timestamp::now() });
    browser.wait_for("document.querySelector('.lead').textContent.includes('held over fresh trials')").await?;
    browser.wait_for("document.getElementById('link').textContent === 'finished'").await?;
    assert_eq!(browser.eval("window.stillHere").await?, true, "the page was reloaded");
    assert_eq!(browser.console_errors(), [] as [String; 0]);
    Ok(())
}

#[tokio::test]
async fn a_stream_that_breaks_goes_on_where_it_was() -> Result<()> {
    let factory = Factory::demo();
    let base = serve(&factory).await?;
    let run = factory.run_of("reminders");
    let mut browser = Browser::launch().await?;
    browser.goto(&format!("{base}/runs/{run}")).await?;
    browser.wait_for("document.getElementById('link').textContent === 'live'").await?;
    factory.hang_up();
    let reason = "It went on while nobody was listening.".to_owned();
    let finished = Finished { verdict: Verdict::Cancelled, reason, spent: Spend::default(), at: Timestamp::now() };
    factory.emit(&run, Timestamp::now(), finished);
    browser.wait_for("document.querySelector('.lead').textContent.includes('nobody was listening')").await
}

/// Without it, an empty list of complaints would prove nothing.
#[tokio::test]
async fn the_browser_tells_what_the_policy_refused_and_what_a_script_complained_of() -> Result<()> {
    let base = serve(&Factory::empty()).await?;
    let mut browser = Browser::launch().await?;
    browser.goto(&base).await?;
    let inline = "document.body.append(Object.assign(document.createElement('script'), { text: 'window.ran = true' }))";
    browser.eval(inline).await?;
    browser.eval("console.error('a script complains')").await?;
    browser.wait_for("true").await?;
    assert_eq!(browser.eval("window.ran === true").await?, false);
    let told = browser.console_errors().join("\n");
    assert!(told.contains("Content Security Policy") && told.contains("a script complains"), "{told}");
    Ok(())
}

#[tokio::test]
async fn the_overview_follows_every_run() -> Result<()> {
    let factory = Factory::demo();
    let base = serve(&factory).await?;
    let mut browser = Browser::launch().await?;
    browser.goto(&format!("{base}/")).await?;
    browser.wait_for("document.getElementById('link').textContent === 'live'").await?;
    let reason = "No space is left on the device.".to_owned();
    let finished = Finished { verdict: Verdict::Infrastructure, reason, spent: Spend::default(), at: Timestamp::now() };
    factory.emit(&factory.run_of("reminders"), Timestamp::now(), finished);
    browser.wait_for("document.querySelector('.needs').textContent.includes('No space is left')").await?;
    Ok(())
}

#[tokio::test]
async fn keys_alone_lead_from_the_specs_to_a_trajectory() -> Result<()> {
    let factory = Factory::demo();
    let base = serve(&factory).await?;
    let mut browser = Browser::launch().await?;
    browser.goto(&base).await?;
    tab_to(&mut browser, "a.textContent.includes('Checkout')").await?;
    browser.press("Enter").await?;
    // The matrix is there before the scripts are; complete means both.
    browser.wait_for("document.readyState === 'complete' && !!document.querySelector('.matrix')").await?;
    tab_to(&mut browser, "a.matches('a.trial')").await?;
    let first = browser.eval("document.activeElement.href").await?;
    browser.press("ArrowRight").await?;
    browser.press("ArrowDown").await?;
    let moved = browser.eval("document.activeElement.matches('a.trial') && document.activeElement.href").await?;
    assert!(moved.is_string() && moved != first, "{first} to {moved}");
    browser.press("Enter").await?;
    browser.wait_for("location.pathname.includes('/trials/') && !!document.querySelector('.trajectory')").await?;
    Ok(())
}

/// Presses Tab until the focused element fits.
async fn tab_to(browser: &mut Browser, fits: &str) -> Result<()> {
    const STOPS_MAX: usize = 40; // more than stand before anything that matters
    for _ in 0..STOPS_MAX {
        browser.press("Tab").await?;
        if browser.eval(&format!("(a => {fits})(document.activeElement)")).await? == true {
            return Ok(());
        }
    }
    anyhow::bail!("{STOPS_MAX} stops of Tab do not reach {fits}")
}

#[tokio::test]
async fn dark_is_dark_and_readable() -> Result<()> {
    let factory = Factory::demo();
    let base = serve(&factory).await?;
    let mut browser = Browser::launch().await?;
    browser.size(DESK.0, DESK.1).await?;
    let mut shades = Vec::new();
    for scheme in ["light", "dark"] {
        browser.scheme(scheme).await?;
        browser.goto(&format!("{base}/runs/{}", factory.run_of("checkout"))).await?;
        keep(&mut browser, &format!("run-{scheme}")).await?;
        for (ink, paper) in [(".lead", "body"), (".badge", ".badge"), (".trial", ".trial"), (".tick", ".panel")] {
            let contrast = browser.eval(&contrast(ink, paper)).await?.as_f64().unwrap_or(0.0);
            assert!(contrast >= 4.5, "{scheme}: {ink} on {paper} has a contrast of {contrast:.2}");
        }
        shades.push(browser.eval("getComputedStyle(document.body).backgroundColor").await?);
    }
    assert_ne!(shades[0], shades[1]);
    Ok(())
}

/// WCAG 2 contrast ratio of an element's ink on another one's ground.
fn contrast(ink: &str, paper: &str) -> String {
    format!(
        "(() => {{
            const canvas = document.createElement('canvas').getContext('2d', {{ willReadFrequently: true }});
            const light = (colour) => {{
                canvas.fillStyle = colour;
                canvas.fillRect(0, 0, 1, 1);
                const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((byte) => byte / 255)
                    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            }};
            const front = getComputedStyle(document.querySelector('{ink}'));
            const back = getComputedStyle(document.querySelector('{paper}'));
            const pair = [light('{ink}' === '.tick' ? front.fill : front.color), light(back.backgroundColor)].sort((a, b) => b - a);
            return (pair[0] + 0.05) / (pair[1] + 0.05);
        }})()"
    )
}

#[tokio::test]
async fn a_page_without_javascript_is_whole() -> Result<()> {
    let factory = Factory::demo();
    let base = serve(&factory).await?;
    let mut browser = Browser::launch().await?;
    browser.without_javascript(true).await?;
    browser.goto(&format!("{base}/runs/{}", factory.run_of("checkout"))).await?;
    let shown = browser.eval("document.querySelectorAll('.matrix a.trial').length").await?;
    assert_eq!(shown, 77, "seven trials in the matrix for each of eleven scenarios");
    Ok(())
}
