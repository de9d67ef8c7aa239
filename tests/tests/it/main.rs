//! End-to-end tests and project rules, in one binary: linking is dear.

mod dashboards;
mod rules;
