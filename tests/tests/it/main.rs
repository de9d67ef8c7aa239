//! End to end, in one binary: linking is dear.

mod dashboards;
