//! Runs untrusted commands: in a Linux sandbox of namespaces with an allow-listed root, one host uid per sandbox,
//! a system call filter, limits, and a network that holds nothing but the doors that the caller opens.
//!
//! Owns the sandbox's life, the copying of trees into it (`hydrate`) and of changes out of it (`export`). Never
//! decides what runs, never sees a holdout, and never falls back to weaker isolation: without namespaces there is an
//! error that says why. [`Sandboxes::probe`] tells what is in force on this machine.
//!
//! ```no_run
//! # async fn example() -> Result<(), factory_sandbox::Error> {
//! use factory_sandbox::{Command, Options, Sandboxes, Spec};
//!
//! let sandboxes = Sandboxes::new(Options::new("/var/lib/factory/sandboxes"))?;
//! let sandbox = sandboxes.create(Spec::default()).await?;
//! let output = sandbox.run(Command::new(["sh", "-c", "id -u"])).await?;
//! assert_eq!(output.stdout, b"1000\n");
//! sandbox.kill().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Two processes make a sandbox, both the binary `factory-sandbox`; read `helper` for them. The library talks to init
//! over one socket (`wire`). Start reading at [`Sandboxes::create`], then `sandbox.rs` and `helper.rs`.

mod cgroup;
mod channel;
mod error;
mod forward;
#[doc(hidden)]
pub mod helper;
mod kernel;
mod ownership;
mod process;
mod record;
mod sandbox;
mod sandboxes;
mod spec;
mod tree;
mod wire;

pub use cgroup::Tier;
pub use error::{Error, Result};
pub use process::{Command, Exit, Output, Process, Signal};
pub use sandbox::Sandbox;
pub use sandboxes::{Options, Probe, Sandboxes};
pub use spec::{Access, Egress, Limits, MOUNTS_MAX, Mount, Spec};
pub use tree::{
    Change, Changes, Entry, Exclude, ExportLimits, HydrateLimits, Kind, Refusal, Tree, export, hydrate, hydrate_within,
};

/// The only user that exists inside, besides `nobody`.
pub const USER: &str = "user";
/// The home directory inside: writable, empty, gone with the sandbox.
pub const HOME: &str = "/home/user";
