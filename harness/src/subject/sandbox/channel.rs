//! What the harness and its first process in a sandbox say to each other: one JSON object a line, over a socket that
//! both find in the folder they share.

use std::{collections::BTreeMap, io, path::PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::subject::Exit;

/// Where the shared folder is inside.
pub(super) const FOLDER: &str = "/run/harness";
/// The socket of this channel, in that folder.
pub(super) const CHANNEL: &str = "channel";

/// The socket at which the sandbox is asked for a connection to one of its ports.
pub(super) fn inward(port: u16) -> String {
    format!("in-{port}")
}

/// The socket at which a sandbox asks for a connection to a port of this machine.
pub(super) fn outward(port: u16) -> String {
    format!("out-{port}")
}

/// Said by the harness.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wish {
    /// The first one, and only once.
    Run(Order),
    /// Asks the command and its process group to end.
    Terminate,
}

/// A command, and the ports that are led through the wall.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) argv: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) cwd: PathBuf,
    /// Ports of the machine that are to be found at the same number inside.
    pub(super) outward: Vec<u16>,
    /// Ports of the command, from when it listens there.
    pub(super) inward: Vec<u16>,
    pub(super) terminal: Option<Size>,
}

/// Of a terminal.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Size {
    pub(super) columns: u16,
    pub(super) rows: u16,
}

/// Said from inside.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    Started,
    /// The command was not started; with the number of the system's error.
    Refused(i32),
    /// The command listens at a port that is to be led inward, and the socket for it is there.
    Listens(u16),
    /// The command has ended. Everything else inside dies with this word.
    Ended(Exit),
}

/// What the other side says. Cancel safe.
#[derive(Debug)]
pub(super) struct Ear(Lines<BufReader<OwnedReadHalf>>);

/// Says things to the other side, which learns of it when this is dropped.
#[derive(Debug)]
pub(super) struct Mouth(OwnedWriteHalf);

pub(super) fn channel(stream: UnixStream) -> (Ear, Mouth) {
    let (reader, writer) = stream.into_split();
    (Ear(BufReader::new(reader).lines()), Mouth(writer))
}

impl Ear {
    /// `None` when the other side is gone.
    pub(super) async fn hear<T: DeserializeOwned>(&mut self) -> Option<T> {
        let line = self.0.next_line().await.ok()??;
        serde_json::from_str(&line).ok()
    }
}

impl Mouth {
    pub(super) async fn say(&mut self, what: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        self.0.write_all(&line).await
    }
}
