//! What keeps a subject apart from this machine, as `harness.yaml` asks for it.

use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::Deserialize;

/// Written as `process`, or `{container: {image: …}}`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Isolation {
    /// A process group of its own, and nothing else.
    #[default]
    Process,
    /// A Docker container without a network but for its twins. The subject must listen on `{{ host }}`.
    Container(ContainerOptions),
}

impl Isolation {
    /// Where a subject must listen to be reached: what templates see as `host`.
    pub(crate) fn host(&self) -> Ipv4Addr {
        match self {
            Self::Process => Ipv4Addr::LOCALHOST,
            Self::Container(_) => Ipv4Addr::UNSPECIFIED,
        }
    }
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
