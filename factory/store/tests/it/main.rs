//! The store against a real private Postgres: one cluster for all tests, a database of its own for each.

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
