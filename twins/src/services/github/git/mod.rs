//! Git in memory: objects, refs, history, differences, merges, packs, and the two services of smart HTTP.
//!
//! Real hashes over real objects, so that what REST says and what `git` fetches is one thing. Everything is a value:
//! a clone is a snapshot in constant time. Knows nothing of REST. Start at [`Store`], then `upload` and `receive`.

mod delta;
mod diff;
mod history;
mod merge;
mod object;
mod pack;
mod packet;
pub(super) mod receive;
mod store;
mod tree;
pub(super) mod upload;

pub(super) use diff::{Change, patch_of, unified};
pub(super) use merge::Merged;
pub(super) use object::{Commit, Entry, Kind, MODE_COMMIT, MODE_FILE, MODE_LINK, MODE_TREE, Oid, Signature, Tag};
pub(super) use store::Store;
