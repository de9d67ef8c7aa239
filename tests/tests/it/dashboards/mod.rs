//! The dashboards over data in memory: by requests, and in a real browser. Requirements FAC-12, FAC-16, AO-28, CX-27.

mod chromium;
mod pages;
