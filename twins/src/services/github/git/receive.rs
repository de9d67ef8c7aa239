//! `git-receive-pack` over HTTP: what a push brings, checked before anything of it counts.

use super::{
    Kind, Oid, Store, pack,
    packet::{self, FLUSH, Packet},
    upload::announced,
};

const CAPABILITIES: &str = "report-status delete-refs side-band-64k ofs-delta atomic agent=twin";
const REFS_MAX: usize = 1_000; // per push

pub(in super::super) fn advertised(store: &Store) -> Vec<u8> {
    let hidden = |name: &str| name.starts_with("refs/pull/");
    let lines = store.refs("refs/").filter(|(name, _)| !hidden(name)).map(|(name, oid)| format!("{oid} {name}"));
    announced("git-receive-pack", lines.collect(), CAPABILITIES)
}

/// One ref that a push wants to move; [`Oid::ZERO`] stands for "does not exist".
#[derive(Clone, Debug)]
pub(in super::super) struct Command {
    pub(in super::super) old: Oid,
    pub(in super::super) new: Oid,
    pub(in super::super) name: String,
}

/// A push, read and not yet done.
pub(in super::super) struct Push<'a> {
    pub(in super::super) commands: Vec<Command>,
    pack: &'a [u8],
    banded: bool,
    atomic: bool,
}

/// What came of each command.
pub(in super::super) type Outcomes = Vec<(Command, Result<(), String>)>;

impl<'a> Push<'a> {
    pub(in super::super) fn read(body: &'a [u8]) -> Result<Self, String> {
        let (packets, pack) = packet::read(body, 1)?;
        let mut push = Self { commands: Vec::new(), pack, banded: false, atomic: false };
        for line in packets.iter().filter_map(Packet::text) {
            push.take(line).ok_or_else(|| format!("unexpected line '{line}'"))?;
        }
        if push.commands.len() > REFS_MAX { Err(format!("more than {REFS_MAX} refs")) } else { Ok(push) }
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let (line, capabilities) = line.split_once('\0').unwrap_or((line, ""));
        for capability in capabilities.split(' ') {
            self.banded |= capability == "side-band-64k";
            self.atomic |= capability == "atomic";
        }
        let mut words = line.splitn(3, ' ');
        let (old, new) = (Oid::parse(words.next()?)?, Oid::parse(words.next()?)?);
        self.commands.push(Command { old, new, name: words.next()?.to_owned() });
        Some(())
    }

    /// Moves the refs for which `allowed` has no objection. Nothing counts where the pack is bad.
    pub(in super::super) fn perform(
        &self,
        store: &mut Store,
        allowed: impl Fn(&Command) -> Result<(), String>,
    ) -> Result<Outcomes, String> {
        if !self.pack.is_empty() {
            let objects = pack::read(store, self.pack)?;
            store.take_in(objects)?;
        }
        let judged = |command: &Command| allowed(command).and_then(|()| possible(store, command));
        let mut outcomes: Outcomes = self.commands.iter().map(|command| (command.clone(), judged(command))).collect();
        if self.atomic && outcomes.iter().any(|(_, outcome)| outcome.is_err()) {
            let fails = |outcome: &mut Result<(), String>| {
                if outcome.is_ok() {
                    *outcome = Err("atomic push failure".to_owned());
                }
            };
            outcomes.iter_mut().for_each(|(_, outcome)| fails(outcome));
        }
        for (command, _) in outcomes.iter().filter(|(_, outcome)| outcome.is_ok()) {
            if command.new == Oid::ZERO {
                store.delete_ref(&command.name);
            } else {
                store.set_ref(&command.name, command.new);
            }
        }
        Ok(outcomes)
    }

    /// The report that the client waits for.
    pub(in super::super) fn report(&self, done: &Result<Outcomes, String>) -> Vec<u8> {
        let mut lines = Vec::new();
        match done {
            Err(why) => {
                packet::write(&mut lines, format!("unpack {why}\n").as_bytes());
                for command in &self.commands {
                    packet::write(&mut lines, format!("ng {} unpacker error\n", command.name).as_bytes());
                }
            }
            Ok(outcomes) => {
                packet::write(&mut lines, b"unpack ok\n");
                for (command, outcome) in outcomes {
                    let line = match outcome {
                        Ok(()) => format!("ok {}\n", command.name),
                        Err(why) => format!("ng {} {why}\n", command.name),
                    };
                    packet::write(&mut lines, line.as_bytes());
                }
            }
        }
        lines.extend(FLUSH);
        if !self.banded {
            return lines;
        }
        let mut out = Vec::new();
        packet::write_band(&mut out, 1, &lines);
        out.extend(FLUSH);
        out
    }
}

fn possible(store: &Store, command: &Command) -> Result<(), String> {
    let current = store.reference(&command.name).unwrap_or(Oid::ZERO);
    if current != command.old {
        return Err("failed to update ref".to_owned()); // somebody was faster
    }
    if command.new == Oid::ZERO {
        return if current == Oid::ZERO { Err("deleting a non-existent ref".to_owned()) } else { Ok(()) };
    }
    match store.kind(command.new) {
        None => Err("missing necessary objects".to_owned()),
        Some(Kind::Commit) => Ok(()),
        Some(_) if command.name.starts_with("refs/heads/") => Err("a branch must name a commit".to_owned()),
        Some(_) => Ok(()),
    }
}
