//! `git-upload-pack` over HTTP: what a clone or a fetch asks, in protocol version 0, which every client still speaks.

use std::collections::BTreeSet;

use super::{
    Kind, Oid, Store, pack,
    packet::{self, FLUSH, Packet},
};

const CAPABILITIES: &str = "multi_ack_detailed side-band-64k thin-pack ofs-delta shallow agent=twin";
const DEPTH_MAX: usize = 1_000_000; // deeper than any history here: the whole

/// Which refs there are. `default_branch` is what `HEAD` stands for.
pub(in super::super) fn advertised(store: &Store, default_branch: &str) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut capabilities = CAPABILITIES.to_owned();
    if let Some(head) = store.branch(default_branch) {
        lines.push(format!("{head} HEAD"));
        capabilities.push_str(&format!(" symref=HEAD:refs/heads/{default_branch}"));
    }
    for (name, oid) in store.refs("refs/") {
        lines.push(format!("{oid} {name}"));
        if let Some(peeled) = store.peel(oid).filter(|_| store.kind(oid) == Some(Kind::Tag)) {
            lines.push(format!("{peeled} {name}^{{}}"));
        }
    }
    announced("git-upload-pack", lines, &capabilities)
}

/// The first answer of a service: its name, then the refs, with the capabilities behind the first.
pub(super) fn announced(service: &str, mut lines: Vec<String>, capabilities: &str) -> Vec<u8> {
    if lines.is_empty() {
        lines.push(format!("{} capabilities^{{}}", Oid::ZERO));
    }
    let mut out = Vec::new();
    packet::write(&mut out, format!("# service={service}\n").as_bytes());
    out.extend(FLUSH);
    for (index, line) in lines.into_iter().enumerate() {
        let tail = if index == 0 { format!("\0{capabilities}") } else { String::new() };
        packet::write(&mut out, format!("{line}{tail}\n").as_bytes());
    }
    out.extend(FLUSH);
    out
}

/// What the client said: it says everything again in each round.
#[derive(Default)]
struct Wish {
    wants: Vec<Oid>,
    haves: Vec<Oid>,
    shallow: BTreeSet<Oid>,
    depth: Option<usize>,
    detailed: bool,
    banded: bool,
    done: bool,
}

impl Wish {
    fn read(body: &[u8]) -> Result<Self, String> {
        let (packets, _) = packet::read(body, usize::MAX)?;
        let mut wish = Self::default();
        for line in packets.iter().filter_map(Packet::text) {
            wish.take(line).ok_or_else(|| format!("unexpected line '{line}'"))?;
        }
        Ok(wish)
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let mut words = line.split(' ');
        match (words.next()?, words.next()) {
            ("want", Some(oid)) => {
                self.wants.push(Oid::parse(oid)?);
                for capability in words {
                    self.detailed |= capability == "multi_ack_detailed";
                    self.banded |= capability == "side-band-64k";
                }
            }
            ("have", Some(oid)) => self.haves.push(Oid::parse(oid)?),
            ("shallow", Some(oid)) => drop(self.shallow.insert(Oid::parse(oid)?)),
            ("deepen", Some(depth)) => self.depth = Some(depth.parse::<usize>().ok()?.clamp(1, DEPTH_MAX)),
            ("done", None) => self.done = true,
            _ => return None,
        }
        Some(())
    }
}

/// The answer to one round of a fetch.
pub(in super::super) fn served(store: &Store, body: &[u8]) -> Result<Vec<u8>, String> {
    let wish = Wish::read(body)?;
    if let Some(unknown) = wish.wants.iter().find(|want| store.kind(**want).is_none()) {
        return Err(format!("upload-pack: not our ref {unknown}"));
    }
    let mut out = Vec::new();
    let cut = cut(store, &wish, &mut out);
    if wish.depth.is_some() && !wish.done && wish.haves.is_empty() {
        return Ok(out); // first the client wants to know where history ends
    }
    let common: Vec<Oid> = wish.haves.iter().copied().filter(|have| store.kind(*have).is_some()).collect();
    acknowledge(&wish, &common, &mut out);
    if wish.done && !wish.wants.is_empty() {
        // A shallow client lacks what is before its boundary, though it has the boundary itself.
        let haves: &[Oid] = if wish.shallow.is_empty() && wish.depth.is_none() { &common } else { &[] };
        send(&mut out, &pack::written(store, &store.reachable(&wish.wants, haves, &cut)), wish.banded);
    }
    Ok(out)
}

/// Where history ends for this client, and the lines that tell it so.
fn cut(store: &Store, wish: &Wish, out: &mut Vec<u8>) -> Vec<Oid> {
    let Some(depth) = wish.depth else { return wish.shallow.iter().copied().collect() };
    let boundary = store.boundary(&wish.wants, depth);
    for oid in boundary.difference(&wish.shallow) {
        packet::write(out, format!("shallow {oid}\n").as_bytes());
    }
    for oid in wish.shallow.difference(&boundary) {
        packet::write(out, format!("unshallow {oid}\n").as_bytes());
    }
    out.extend(FLUSH);
    boundary.into_iter().collect()
}

fn acknowledge(wish: &Wish, common: &[Oid], out: &mut Vec<u8>) {
    if wish.detailed && !wish.done {
        common.iter().for_each(|oid| packet::write(out, format!("ACK {oid} common\n").as_bytes()));
        // One common commit is enough to make a pack of; more would only make it smaller.
        if let Some(last) = common.last() {
            packet::write(out, format!("ACK {last} ready\n").as_bytes());
        }
    }
    match common.last().filter(|_| wish.done || !wish.detailed) {
        Some(last) => packet::write(out, format!("ACK {last}\n").as_bytes()),
        None => packet::write(out, b"NAK\n"),
    }
}

fn send(out: &mut Vec<u8>, pack: &[u8], banded: bool) {
    if banded {
        packet::write_band(out, 1, pack);
        out.extend(FLUSH);
    } else {
        out.extend(pack);
    }
}
