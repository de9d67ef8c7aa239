//! The store against a real private Postgres: one cluster for all tests, a database of its own for each.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

extern crate factory_store as store;

mod append;
mod audit;
mod blobs;
mod embedded;
mod feed;
mod guards;
mod projections;
mod queue;
mod support;
