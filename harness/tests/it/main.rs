//! The harness against real subjects: a Python server as a process of its own, and servers of this process that
//! misbehave on purpose. Every bad input must end in a verdict or a clear error: never a hang, never a pass.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod bad_subjects;
mod cli;
mod containers;
mod controls;
mod documents;
mod encrypted;
mod exec;
mod files;
mod going_on;
mod http;
mod http_requests;
mod http_transport;
mod import;
mod import_hurl;
mod import_services;
mod init;
mod judging;
mod kit;
mod language;
mod languages;
mod leftovers;
mod limits;
mod named_files;
mod orphans;
mod own_twins;
mod processes;
mod published;
mod recording;
mod reports;
mod runs;
mod sandboxes;
mod secrets;
mod selection;
mod shells;
mod sql;
mod stored_runs;
mod streams;
mod terminals;
mod twin_steps;
mod vacuous;
mod watching;
