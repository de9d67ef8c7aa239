//! Where a trial takes place: its folders, ports, twins and subject. A seat serves one trial, or one after the other
//! where the subject goes on.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value as Json, json};

use super::Trial;
use crate::{
    arrange::World,
    scratch::Scratch,
    step::{Room, Subject},
    subject::{LaunchRequest, PortLease, SubjectConfig},
    text::{RenderError, Scope},
};

/// All that a subject is given, and the subject.
pub(super) struct Seat {
    _folder: Scratch,
    pub(super) room: Room,
    port: PortLease,
    further_ports: BTreeMap<String, PortLease>,
    pub(super) world: World,
    pub(super) subject: Subject,
}

/// Seats whose subject waits for another trial.
#[derive(Default)]
pub(crate) struct Seats(Mutex<Vec<Seat>>);

impl Seats {
    pub(super) fn take(&self) -> Option<Seat> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub(super) fn give(&self, seat: Seat) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(seat);
    }

    pub(crate) async fn close(&self) {
        while let Some(mut seat) = self.take() {
            seat.subject.close().await;
            seat.close().await;
        }
    }
}

impl Seat {
    /// Twins forget what the trial before did with them, and so does the data folder, unless it is a subject's that we
    /// started: what to do with that, its `reset` knows.
    pub(super) fn renew(&self, subject: &SubjectConfig) -> Result<(), String> {
        self.world.reset();
        if !subject.is_elsewhere() {
            return Ok(());
        }
        empty(&self.room.data_dir).map_err(|error| format!("cannot empty the trial's folder: {error}"))
    }

    /// What templates see of it.
    pub(super) fn tell(&self, scope: &mut Scope) {
        tell_room(scope, &self.room, &self.port, &self.further_ports);
        scope.give_json("twins", &self.world.facts());
    }

    pub(super) async fn close(self) {
        self.world.close().await;
    }
}

fn empty(folder: &Path) -> io::Result<()> {
    if fs::read_dir(folder)?.next().is_some() {
        fs::remove_dir_all(folder)?;
        fs::create_dir(folder)?;
    }
    Ok(())
}

fn tell_room(scope: &mut Scope, room: &Room, port: &PortLease, further: &BTreeMap<String, PortLease>) {
    scope.give("port", port.port());
    let further: serde_json::Map<_, _> =
        further.iter().map(|(name, port)| (name.clone(), json!(port.port()))).collect();
    scope.give_json("ports", &Json::Object(further));
    scope.give("data_dir", room.data_dir.display().to_string());
}

impl Trial<'_> {
    /// Makes a seat and tells `scope` of it.
    pub(super) fn new_seat(&self, scope: &mut Scope, seed: u64) -> Result<Seat, String> {
        let here = |error: io::Error| format!("cannot make the trial's folder: {error}; is the disk full?");
        let folder = Scratch::new().map_err(here)?;
        let room = Room {
            root: self.root.to_owned(),
            data_dir: folder.path().join("data"),
            log: folder.path().join("subject.log"),
            env_allow: self.subject.env_allow.clone(),
        };
        fs::create_dir(&room.data_dir).map_err(here)?;
        scope.set("host", self.subject.isolation.host().to_string());
        let lease = || PortLease::take().ok_or("no loopback port is free");
        let port = lease()?;
        let further = self.subject.further_ports.iter().map(|name| Ok((name.value.clone(), lease()?)));
        let further_ports = further.collect::<Result<BTreeMap<_, _>, &str>>()?;
        tell_room(scope, &room, &port, &further_ports);
        let twins = self.subject.twins.iter();
        let twins = twins.map(|given| Ok((given.twin.opened_as().to_owned(), scope.node(&given.config)?)));
        let twins = twins.collect::<Result<Vec<_>, RenderError>>().map_err(|error| self.in_config(&error))?;
        let world = World::open(&self.scenario.slug, seed, &twins)?;
        scope.give_json("twins", &world.facts());
        let request = self.request(scope, &room, &world).map_err(|error| self.in_config(&error))?;
        let request = request.map(|request| LaunchRequest {
            port: port.port(),
            further_ports: further_ports.values().map(PortLease::port).collect(),
            ..request
        });
        Ok(Seat { _folder: folder, room, port, further_ports, world, subject: Subject::new(request) })
    }

    fn request(&self, scope: &Scope, room: &Room, world: &World) -> Result<Option<LaunchRequest>, RenderError> {
        let Some(start) = &self.subject.start else { return Ok(None) };
        let argv = start.argv.iter().map(|word| scope.text(word)).collect::<Result<_, _>>()?;
        let env = start.env.iter().map(|(name, value)| Ok((name.value.clone(), scope.text(value)?)));
        Ok(Some(LaunchRequest {
            argv,
            env: env.collect::<Result<_, RenderError>>()?,
            env_allow: room.env_allow.clone(),
            root: room.root.clone(),
            data_dir: room.data_dir.clone(),
            port: 0,
            further_ports: Vec::new(),
            egress: world.ports(),
            log: room.log.clone(),
        }))
    }
}
