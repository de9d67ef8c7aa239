//! End-to-end tests and project rules, in one binary: linking is dear.

mod around;
mod checkout;
mod crashes;
mod dashboards;
mod feedback;
mod grading;
mod leaks;
mod named_files;
mod rules;
mod signals;
