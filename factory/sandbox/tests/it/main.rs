//! Integration tests of the sandbox: its life, what must not be possible inside, its limits, how it dies with its
//! owner, and the copying of trees. One binary; the last module runs all of it again as an ordinary user.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall fail")]

mod death;
mod escape;
mod life;
mod limits;
mod ordinary_user;
mod support;
mod tree;
