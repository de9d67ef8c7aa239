//! A real Chromium, driven over its DevTools protocol.
//!
//! Start at [`Browser::launch`]. A machine without Chromium makes a test fail, with the command that installs it.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
];
const LAUNCH_WITHIN: Duration = Duration::from_secs(60); // cold start on a busy machine
const ANSWER_WITHIN: Duration = Duration::from_secs(30); // of one command, or of a condition in the page
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// One browser with one page. Dropping it ends the process and removes its profile.
pub struct Browser {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: String,
    next_id: u64,
    complaints: Vec<String>,
    _process: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub async fn launch() -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let mut process = start(profile.path())?;
        let stderr = process.stderr.take().context("the browser's stderr is piped")?;
        let address = timeout(LAUNCH_WITHIN, devtools_address(BufReader::new(stderr)))
            .await
            .context("chromium did not open its DevTools port")??;
        let (socket, _) = connect_async(address).await?;
        let mut browser = Self {
            socket,
            session: String::new(),
            next_id: 0,
            complaints: Vec::new(),
            _process: process,
            _profile: profile,
        };
        browser.open_page().await?;
        Ok(browser)
    }

    async fn open_page(&mut self) -> Result<()> {
        let target = self.command("Target.createTarget", json!({ "url": "about:blank" })).await?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.command("Target.attachToTarget", attach).await?;
        self.session = attached["sessionId"].as_str().context("a session id")?.to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.command(&format!("{domain}.enable"), json!({})).await?;
        }
        Ok(())
    }

    /// Loads a page and waits until it is complete.
    pub async fn goto(&mut self, url: &str) -> Result<()> {
        let went = self.command("Page.navigate", json!({ "url": url })).await?;
        if let Some(error) = went["errorText"].as_str() {
            bail!("{url} did not load: {error}");
        }
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'").await
    }

    /// The value of a JavaScript expression; a promise is awaited.
    pub async fn eval(&mut self, expression: &str) -> Result<Value> {
        let arguments = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.command("Runtime.evaluate", arguments).await?;
        match answer.pointer("/exceptionDetails/exception/description") {
            Some(error) => bail!("{expression}: {error}"),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Waits until an expression is true; the error tells the page's text as it was at last.
    pub async fn wait_for(&mut self, condition: &str) -> Result<()> {
        let deadline = Instant::now() + ANSWER_WITHIN;
        while Instant::now() < deadline {
            // A page that is being replaced cannot answer; the next one will.
            if self.eval(condition).await.is_ok_and(|value| value == Value::Bool(true)) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let text = self.eval("location.href + '\\n' + document.body.innerText").await?;
        bail!("not within {ANSWER_WITHIN:?}: {condition}\n{}", text.as_str().unwrap_or_default())
    }

    /// Presses and releases a key such as `Tab`, `Enter` or `ArrowRight`.
    pub async fn press(&mut self, key: &str) -> Result<()> {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => bail!("this client does not know the key {key}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if key == "Enter" && kind == "keyDown" {
                event["text"] = json!("\r");
            }
            self.command("Input.dispatchKeyEvent", event).await?;
        }
        Ok(())
    }

    pub async fn size(&mut self, width: u32, height: u32) -> Result<()> {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.command("Emulation.setDeviceMetricsOverride", metrics).await.map(drop)
    }

    /// `light` or `dark`, as the reader's system would say.
    pub async fn scheme(&mut self, scheme: &str) -> Result<()> {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.command("Emulation.setEmulatedMedia", features).await.map(drop)
    }

    pub async fn without_javascript(&mut self, off: bool) -> Result<()> {
        self.command("Emulation.setScriptExecutionDisabled", json!({ "value": off })).await.map(drop)
    }

    /// The whole page as PNG.
    pub async fn screenshot(&mut self) -> Result<Vec<u8>> {
        let whole = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.command("Page.captureScreenshot", whole).await?;
        Ok(BASE64_STANDARD.decode(shot["data"].as_str().context("a picture")?)?)
    }

    /// What the pages complained about so far: exceptions, console errors, refused or failed requests, violations of
    /// the content security policy.
    pub fn console_errors(&self) -> &[String] {
        &self.complaints
    }

    async fn command(&mut self, method: &str, params: Value) -> Result<Value> {
        self.next_id += 1;
        let id = self.next_id;
        let mut request = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            request["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(request.to_string())).await?;
        let answer =
            timeout(ANSWER_WITHIN, self.answer(id)).await.with_context(|| format!("{method}: no answer"))??;
        match answer.get("error") {
            Some(error) => Err(anyhow!("{method}: {error}")),
            None => Ok(answer["result"].clone()),
        }
    }

    async fn answer(&mut self, id: u64) -> Result<Value> {
        loop {
            let message = self.socket.next().await.context("the browser went away")??;
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text)?;
            if message["id"] == id {
                return Ok(message);
            }
            self.complaints.extend(complaint(&message));
        }
    }
}

fn start(profile: &std::path::Path) -> Result<Child> {
    for name in NAMES {
        let mut command = Command::new(name);
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        match command.spawn() {
            Ok(process) => return Ok(process),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("{name} did not start")),
        }
    }
    bail!("no Chromium on this machine\nhint: apt-get install chromium")
}

async fn devtools_address(stderr: BufReader<tokio::process::ChildStderr>) -> Result<String> {
    let mut lines = stderr.lines();
    let mut seen = Vec::new();
    while let Some(line) = lines.next_line().await? {
        if let Some(address) = line.strip_prefix("DevTools listening on ") {
            // Read on, so that a full pipe never stops the browser.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(address.to_owned());
        }
        seen.push(line);
    }
    bail!("chromium ended before it listened:\n{}", seen.join("\n"))
}

fn complaint(message: &Value) -> Option<String> {
    let params = &message["params"];
    match message["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(params["exceptionDetails"].to_string()),
        "Runtime.consoleAPICalled" if params["type"] == "error" => Some(params["args"].to_string()),
        "Log.entryAdded" if params["entry"]["level"] == "error" => Some(params["entry"].to_string()),
        // A page that is left gives up what it was loading.
        "Network.loadingFailed" if params["canceled"] != true => Some(params.to_string()),
        _ => None,
    }
}
