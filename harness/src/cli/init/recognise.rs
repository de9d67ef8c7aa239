//! What a tree is and how it is started, as far as its files say it. Guesses nothing that they do not say.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use serde_json::Value as Json;

const FILE_BYTES_MAX: u64 = 256 * 1024; // of a source or a manifest; the first lines tell

/// A tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) name: String,
    /// The file that told it.
    pub(super) by: Option<&'static str>,
    pub(super) role: Role,
    pub(super) build: Option<Vec<String>>,
    /// What serves, or for a tool what asks it for help.
    pub(super) start: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Server,
    Tool,
    Unknown,
}

/// One way to recognise a tree.
type Recogniser = fn(&Tree) -> Option<Found>;

const RECOGNISERS: [Recogniser; 6] = [procfile, node, rust, go, django, python];

pub(super) fn tree(root: &Path) -> Found {
    let tree = Tree { root: root.to_owned() };
    let unknown = || tree.found("", Role::Unknown, None, None);
    RECOGNISERS.into_iter().find_map(|recognise| recognise(&tree)).unwrap_or_else(unknown)
}

struct Tree {
    root: PathBuf,
}

impl Tree {
    fn text(&self, name: &str) -> Option<String> {
        let path = self.root.join(name);
        // A pipe could let its reader wait for ever.
        if !path.metadata().ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The folder's name, as far as it can name something.
    fn name(&self) -> String {
        let root = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
        let name = name.trim_matches('-').to_owned();
        if name.is_empty() { "subject".to_owned() } else { name }
    }

    fn found(&self, by: &'static str, role: Role, build: Option<&[&str]>, start: Option<&[&str]>) -> Found {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let by = (!by.is_empty()).then_some(by);
        Found { name: self.name(), by, role, build: build.map(words), start: start.map(words) }
    }
}

/// `web: command` is run by a shell, with PORT.
fn procfile(tree: &Tree) -> Option<Found> {
    let text = tree.text("Procfile")?;
    let web = text.lines().find_map(|line| line.strip_prefix("web:"))?.trim().to_owned();
    Some(tree.found("Procfile", Role::Server, None, Some(&["sh", "-c", &format!("exec {web}")])))
}

fn node(tree: &Tree) -> Option<Found> {
    const BY: &str = "package.json";
    let manifest: Json = serde_json::from_str(&tree.text(BY)?).ok()?;
    // `npm start` would be a parent that does not pass signals on; its own command line needs a shell.
    if let Some(script) = manifest["scripts"]["start"].as_str() {
        let line = format!("PATH=\"$PWD/node_modules/.bin:$PATH\"; exec {script}");
        return Some(tree.found(BY, Role::Server, None, Some(&["sh", "-c", &line])));
    }
    let bin = &manifest["bin"];
    let program = bin.as_str().or_else(|| bin.as_object()?.values().next()?.as_str())?;
    Some(tree.found(BY, Role::Tool, None, Some(&["node", program, "--help"])))
}

fn rust(tree: &Tree) -> Option<Found> {
    const BY: &str = "Cargo.toml";
    const SERVERS: [&str; 6] = ["axum", "actix-web", "rocket", "warp", "tiny_http", "poem"];
    let manifest = tree.text(BY)?;
    tree.text("src/main.rs")?;
    let package = manifest.split("[package]").nth(1)?;
    let name = package.lines().find_map(|line| line.trim().strip_prefix("name")?.trim().strip_prefix('='))?;
    let program = format!("./target/debug/{}", name.trim().trim_matches('"'));
    let is_server = manifest.lines().any(|line| SERVERS.iter().any(|server| is_key(line, server)));
    let build: &[&str] = &["cargo", "build"];
    Some(if is_server {
        tree.found(BY, Role::Server, Some(build), Some(&[&program]))
    } else {
        tree.found(BY, Role::Tool, Some(build), Some(&[&program, "--help"]))
    })
}

fn is_key(line: &str, key: &str) -> bool {
    line.trim().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
}

fn go(tree: &Tree) -> Option<Found> {
    const BY: &str = "go.mod";
    tree.text(BY)?;
    let main = tree.text("main.go")?;
    let build: &[&str] = &["go", "build", "-o", "bin/subject", "."];
    Some(if main.contains("net/http") || main.contains("gin-gonic") || main.contains("labstack/echo") {
        tree.found(BY, Role::Server, Some(build), Some(&["./bin/subject"]))
    } else {
        tree.found(BY, Role::Tool, Some(build), Some(&["./bin/subject", "--help"]))
    })
}

fn django(tree: &Tree) -> Option<Found> {
    tree.text("manage.py").filter(|text| text.contains("django"))?;
    let start: &[&str] = &["python3", "manage.py", "runserver", "--noreload", "127.0.0.1:{{ port }}"];
    Some(tree.found("manage.py", Role::Server, None, Some(start)))
}

fn python(tree: &Tree) -> Option<Found> {
    const MODULES: [(&str, &str); 3] = [("app.py", "app"), ("main.py", "main"), ("server.py", "server")];
    const SERVERS: [&str; 4] = ["http.server", "aiohttp", "socketserver", "tornado"];
    MODULES.into_iter().find_map(|(file, module)| {
        let text = tree.text(file)?;
        let has = |word: &str| text.contains(word);
        if has("FastAPI(") || has("Starlette(") {
            let app = format!("{module}:app");
            let start: &[&str] = &["python3", "-m", "uvicorn", &app, "--port", "{{ port }}"];
            return Some(tree.found(file, Role::Server, None, Some(start)));
        }
        if has("Flask(") {
            let start: &[&str] = &["python3", "-m", "flask", "--app", module, "run", "--port", "{{ port }}"];
            return Some(tree.found(file, Role::Server, None, Some(start)));
        }
        let is_server = SERVERS.into_iter().any(has) && has("PORT");
        is_server.then(|| tree.found(file, Role::Server, None, Some(&["python3", file])))
    })
}

#[cfg(test)]
mod tests {
    use super::{Found, Role, tree};

    type Files<'a> = &'a [(&'a str, &'a str)];

    fn found(files: Files) -> Found {
        let dir = tempfile::Builder::new().prefix("shop").tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        tree(dir.path())
    }

    #[test]
    fn a_tree_is_known_by_its_files() {
        let main = ("src/main.rs", "fn main() {}");
        let cases: [(Files, Role, &str); 12] = [
            (&[("Procfile", "release: x\nweb: node server.js\n")], Role::Server, "sh -c exec node server.js"),
            (
                &[("package.json", r#"{"scripts": {"start": "node s.js"}}"#)],
                Role::Server,
                "sh -c PATH=\"$PWD/node_modules/.bin:$PATH\"; exec node s.js",
            ),
            (&[("package.json", r#"{"bin": {"a": "a.js"}}"#)], Role::Tool, "node a.js --help"),
            (
                &[("Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\naxum = \"1\"\n"), main],
                Role::Server,
                "./target/debug/a",
            ),
            (
                &[("Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\nclap = \"1\"\n"), main],
                Role::Tool,
                "./target/debug/a --help",
            ),
            (&[("go.mod", "module a"), ("main.go", "import \"net/http\"")], Role::Server, "./bin/subject"),
            (
                &[("manage.py", "import django")],
                Role::Server,
                "python3 manage.py runserver --noreload 127.0.0.1:{{ port }}",
            ),
            (&[("main.py", "app = FastAPI()")], Role::Server, "python3 -m uvicorn main:app --port {{ port }}"),
            (&[("app.py", "app = Flask(__name__)")], Role::Server, "python3 -m flask --app app run --port {{ port }}"),
            (&[("app.py", "import http.server, os; os.environ['PORT']")], Role::Server, "python3 app.py"),
            (&[("app.py", "print('no server')")], Role::Unknown, ""),
            (&[("package.json", "{ broken")], Role::Unknown, ""),
        ];
        for (files, role, start) in cases {
            let found = found(files);
            assert_eq!((found.role, found.start.unwrap_or_default().join(" ").as_str()), (role, start), "{files:?}");
            assert!(found.name.starts_with("shop"), "{}", found.name);
        }
    }
}
