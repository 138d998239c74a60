//! Debian's Chromium, driven as a person would: addresses, clicks, keys. Each one is a profile of its own.

use crate::process::{Folder, Program};
use base64::{Engine, engine::general_purpose::STANDARD};
use fantoccini::{
    Client, ClientBuilder, Locator,
    elements::Element,
    error::CmdError,
    wd::{Capabilities, WebDriverCompatibleCommand},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};
use tokio::time::sleep;
use url::{ParseError, Url};

const STEP: Duration = Duration::from_millis(50);

/// Generous, because a machine that builds at the same time is slow; nothing waits this long when all is well.
const PATIENCE: Duration = Duration::from_secs(30);

const ARGUMENTS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1000,800",
    "--hide-scrollbars",
];

/// A browser with a profile that no other has.
pub struct Chromium {
    client: Client,
    // In this order: the driver ends the browser, then its folder goes.
    _driver: Driver,
    _profile: Folder,
}

/// How a page looks to somebody.
#[derive(Debug, Clone, Copy)]
pub enum Look {
    Light,
    Dark,
    Phone,
}

/// A line of the browser's console.
#[derive(Debug)]
pub struct Complaint {
    pub source: String,
    pub message: String,
}

struct Driver {
    port: u16,
    _program: Program,
}

impl Drop for Driver {
    // A driver that is merely killed leaves its browser behind, and there is no runtime any more to ask it nicely.
    fn drop(&mut self) {
        let request = "GET /shutdown HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let asked = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(request.as_bytes())?;
            stream.read_to_end(&mut Vec::new())
        });
        if let Err(error) = asked {
            eprintln!("chromedriver could not be asked to end its browser: {error}");
        }
    }
}

impl Driver {
    /// It takes a port that is free for IPv6, and ends if the same is taken for IPv4: then it has another try.
    fn start() -> Self {
        let mut said = String::new();
        for _ in 0..5 {
            let mut command = Command::new("chromedriver");
            command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
            let program =
                Program::start(command, "chromium-driver", |child| Box::new(child.stdout.take().expect("is piped")));
            match program.said_port("successfully on port ", ".") {
                Ok(port) => return Self { port, _program: program },
                Err(words) => said = words,
            }
        }
        panic!("chromedriver did not start listening. It said: {said}");
    }
}

impl Chromium {
    pub async fn start() -> Self {
        let driver = Driver::start();
        let profile = Folder::new();
        let address = format!("http://127.0.0.1:{}", driver.port);
        let connected =
            ClientBuilder::rustls().unwrap().capabilities(capabilities(profile.path())).connect(&address).await;
        let client = connected.unwrap_or_else(|error| {
            panic!("Chromium does not start: {error}. Run bin/setup test, or apt-get install chromium.")
        });
        Self { client, _driver: driver, _profile: profile }
    }

    /// Types an address.
    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Waits until the page shows what the CSS selector names.
    pub async fn see(&self, selector: &str) -> Element {
        self.wait_for(Locator::Css(selector)).await
    }

    /// Waits until the page shows it, and reads it. After a click it may still be the page before: use [`Self::reads`].
    pub async fn read(&self, selector: &str) -> String {
        self.on(Locator::Css(selector), async |element| element.text().await).await
    }

    /// Waits until what the selector names reads like this, on however many pages come until then.
    pub async fn reads(&self, selector: &str, expected: &str) {
        let end = Instant::now() + PATIENCE;
        let mut read = self.read(selector).await;
        while read != expected {
            assert!(Instant::now() < end, "{selector} reads {read:?}, not {expected:?}, at {}", self.url().await);
            sleep(STEP).await;
            read = self.read(selector).await;
        }
    }

    pub async fn click(&self, selector: &str) {
        self.on(Locator::Css(selector), async |element| element.click().await).await;
    }

    pub async fn click_xpath(&self, path: &str) {
        self.on(Locator::XPath(path), async |element| element.click().await).await;
    }

    /// Does it to the element, or to its successor when the page is replaced between finding it and doing it.
    async fn on<T>(&self, locator: Locator<'_>, act: impl AsyncFn(Element) -> Result<T, CmdError>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            match act(self.wait_for(locator).await).await {
                Ok(done) => return done,
                Err(error) if error.is_stale_element_reference() && Instant::now() < end => {}
                Err(error) => panic!("{locator:?}: {error} at {}", self.url().await),
            }
        }
    }

    pub async fn type_into(&self, selector: &str, text: &str) {
        let field = self.see(selector).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    async fn wait_for(&self, locator: Locator<'_>) -> Element {
        let found = self.client.wait().at_most(PATIENCE).every(STEP).for_element(locator).await;
        match found {
            Ok(element) => element,
            Err(error) => {
                panic!("{locator:?} does not appear ({error}) at {}: {}", self.url().await, self.text().await)
            }
        }
    }

    /// The error page's code.
    pub async fn code(&self) -> String {
        self.read("dd code").await
    }

    pub async fn url(&self) -> String {
        self.client.current_url().await.unwrap().into()
    }

    pub async fn text(&self) -> String {
        self.run("return document.documentElement.innerText", &[]).await.as_str().unwrap_or_default().to_owned()
    }

    /// Runs a function body in the page.
    pub async fn run(&self, script: &str, arguments: &[&str]) -> Value {
        let arguments = arguments.iter().map(|argument| json!(argument)).collect();
        self.client.execute(script, arguments).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Runs a function body that may await.
    pub async fn run_async(&self, script: &str, arguments: &[&str]) -> Value {
        let arguments = arguments.iter().map(|argument| json!(argument)).collect();
        let wrapped = format!(
            "const done = arguments[arguments.length - 1], given = [...arguments].slice(0, -1);
             (async (...arguments) => {{ {script} }})(...given).then(done, error => done('failed: ' + error));"
        );
        self.client.execute_async(&wrapped, arguments).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Has the page that is open post a form, as an identity provider's page does.
    pub async fn post(&self, url: &str, fields: &[(&str, &str)]) {
        let script =
            "const form = Object.assign(document.createElement('form'), { method: 'post', action: arguments[0] });
             for (const [name, value] of JSON.parse(arguments[1])) {
               form.append(Object.assign(document.createElement('input'), { type: 'hidden', name, value }));
             }
             document.body.append(form);
             form.submit();";
        self.run(script, &[url, &json!(fields).to_string()]).await;
    }

    /// Shows pages as somebody with these eyes sees them.
    pub async fn look(&self, look: Look) {
        let scheme = if matches!(look, Look::Dark) { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        match look {
            Look::Phone => {
                let size = json!({ "width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true });
                self.devtools("Emulation.setDeviceMetricsOverride", size).await;
            }
            Look::Light | Look::Dark => {
                self.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await;
            }
        }
    }

    /// Switches the scripts of pages off, or on again.
    pub async fn scripts(&self, on: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": !on })).await;
    }

    /// Presses keys where the focus is.
    pub async fn press(&self, keys: &str) {
        let element = self.client.active_element().await.unwrap();
        element.send_keys(keys).await.unwrap();
    }

    /// What axe finds that keeps somebody from using the page (WCAG 2.2 AA, and its best practice).
    pub async fn violations(&self) -> Vec<String> {
        let rules = "{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }";
        let script = format!(
            "{}; const found = await axe.run(document, {rules});
             if (found.passes.length < 10) return ['axe has looked at nothing'];
             return found.violations.map(v => v.id + ': ' + v.help + ' ' + v.nodes.map(n => n.html).join(' '));",
            axe()
        );
        let found = self.run_async(&script, &[]).await;
        let found = found.as_array().unwrap_or_else(|| panic!("axe says {found}"));
        found.iter().map(|violation| violation.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Keeps a picture of the whole page under target/screenshots.
    pub async fn picture(&self, name: &str) {
        let picture = self.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        let picture = STANDARD.decode(picture["data"].as_str().unwrap_or_default()).unwrap();
        let folder = pictures();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }

    /// What the console got since it was last asked: errors, warnings, violations of the content security policy.
    pub async fn complaints(&self) -> Vec<Complaint> {
        let entries = self.send("se/log", json!({ "type": "browser" })).await;
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let entries = entries.as_array().cloned().unwrap_or_default();
        let serious = entries.iter().filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING");
        serious.map(|entry| Complaint { source: text(entry, "source"), message: text(entry, "message") }).collect()
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.send("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    async fn send(&self, path: &'static str, body: Value) -> Value {
        self.client.issue_cmd(Extension { path, body }).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// The source of axe, by whoever makes it.
fn axe() -> &'static str {
    static AXE: OnceLock<String> = OnceLock::new();
    AXE.get_or_init(|| {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let script = repository.join("tests/e2e/clients/axe.mjs");
        let printed = Command::new(repository.join("bin/modules")).arg(script).output().unwrap();
        assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
        String::from_utf8(printed.stdout).unwrap()
    })
}

fn capabilities(profile: &Path) -> Capabilities {
    let mut arguments = ARGUMENTS.map(str::to_owned).to_vec();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    let wanted = json!({
        "browserName": "chrome",
        "goog:chromeOptions": { "binary": "/usr/bin/chromium", "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    serde_json::from_value(wanted).expect("an object")
}

fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots")
}

/// A command that only Chromium's driver knows.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base_url: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base_url.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
