//! The thing under test: how it is described (`harness.yaml`), started, watched, stopped and cleaned up.
//!
//! [`Launcher`] is the seam: a plain process here, one in a sandbox or a container, something that already runs at a URL,
//! or whatever an embedding program brings. Never knows scenarios or twins. Start at [`SubjectConfig`], then [`Launcher`].

mod config;
mod container;
mod isolation;
mod launcher;
mod leaks;
mod log;
mod ports;
mod process;
mod pty;
mod ready;
mod relay;
mod sandbox;
mod terminal;
mod twins;
mod url;

pub use config::SubjectConfig;
pub use launcher::{
    ExecOutput, ExecRequest, Exit, LaunchError, LaunchRequest, Launcher, Leaks, Running, Signal, TreeAccess,
};
pub use process::ProcessLauncher;
pub use sandbox::inside_sandbox;
pub use terminal::{Sign, Terminal, TerminalOutput, Turn};
pub use url::UrlLauncher;

pub(crate) use config::{ReadyCheck, Reset, schema as config_schema};
use isolation::Isolation;
pub(crate) use leaks::kill_marked;
pub(crate) use log::{tail, whole};
pub(crate) use ports::PortLease;
pub(crate) use ready::{root_cause, wait_ready};
