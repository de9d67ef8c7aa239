//! What keeps a subject apart from this machine, as `harness.yaml` asks for it.

use std::{fmt, net::Ipv4Addr, path::PathBuf};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};

/// Written as `process`, `sandbox`, `{sandbox: {read: […]}}` or `{container: {image: …}}`.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(with = "Written")]
pub(crate) enum Isolation {
    /// A process group of its own, and nothing else.
    #[default]
    Process,
    /// Namespaces of its own: no file of a user, no process, no socket and no network of this machine.
    Sandbox(SandboxOptions),
    /// A Docker container without a network but for its twins. The subject must listen on `{{ host }}`.
    Container(ContainerOptions),
}

impl Isolation {
    /// Where a subject must listen to be reached: what templates see as `host`.
    pub(crate) fn host(&self) -> Ipv4Addr {
        match self {
            Self::Process | Self::Sandbox(_) => Ipv4Addr::LOCALHOST,
            Self::Container(_) => Ipv4Addr::UNSPECIFIED,
        }
    }
}

/// What a sandbox shows.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SandboxOptions {
    /// Files and folders of this machine, besides the system's, that may be read: absolute paths.
    #[serde(default, deserialize_with = "absolute")]
    pub(crate) read: Vec<PathBuf>,
}

/// What a container may use.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContainerOptions {
    /// It must be on this machine: nothing is pulled.
    pub(crate) image: String,
    /// Default 1024.
    #[serde(default = "memory_mib_default")]
    pub(crate) memory_mib: u32,
    /// Processes and threads. Default 512.
    #[serde(default = "pids_default")]
    pub(crate) pids: u32,
    /// Cores, such as 0.5. Default: all.
    #[serde(default)]
    pub(crate) cpus: Option<f64>,
}

fn memory_mib_default() -> u32 {
    1024 // a JVM with a small service fits
}

fn pids_default() -> u32 {
    512
}

fn absolute<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<PathBuf>, D::Error> {
    let paths = Vec::<PathBuf>::deserialize(from)?;
    match paths.iter().find(|path| !path.is_absolute()) {
        Some(path) => Err(de::Error::custom(format!("`{}` is no absolute path; begin with /", path.display()))),
        None => Ok(paths),
    }
}

/// For the published schema.
#[derive(JsonSchema)]
#[schemars(untagged, deny_unknown_fields)]
#[expect(dead_code, reason = "it is only described, never made")]
enum Written {
    Name(Name),
    Sandbox { sandbox: SandboxOptions },
    Container { container: ContainerOptions },
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "it is only described, never made")]
enum Name {
    Process,
    Sandbox,
}

impl<'de> Deserialize<'de> for Isolation {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(IsolationVisitor)
    }
}

/// A name, or a name with options: an enum of serde's would take the one or the other of `sandbox`.
struct IsolationVisitor;

impl<'de> Visitor<'de> for IsolationVisitor {
    type Value = Isolation;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("process, sandbox, {sandbox: {read: […]}} or {container: {image: …}}")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Isolation, E> {
        match name {
            "process" => Ok(Isolation::Process),
            "sandbox" => Ok(Isolation::Sandbox(SandboxOptions::default())),
            "container" => Err(E::custom("a container needs an image: {container: {image: …}}")),
            _ => Err(E::unknown_variant(name, &["process", "sandbox", "container"])),
        }
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Isolation, M::Error> {
        let name = map.next_key::<String>()?.unwrap_or_default();
        let isolation = match name.as_str() {
            "sandbox" => Isolation::Sandbox(map.next_value()?),
            "container" => Isolation::Container(map.next_value()?),
            _ => return Err(de::Error::unknown_variant(&name, &["sandbox", "container"])),
        };
        match map.next_key::<String>()? {
            Some(_) => Err(de::Error::custom("a subject has one launcher; remove all but one")),
            None => Ok(isolation),
        }
    }
}
