//! The requests of a collection in order, each with what its folders say and where it stands.

use located::{Place, Source};
use serde_json::Value as Json;

use super::collection::{Auth, Behavior, Collection, Event, Item, RequestOrUrl};
use crate::import::Notes;

const DEPTH_MAX: usize = 16; // of folders

/// A request with what its folders say.
pub(super) struct Found<'a> {
    pub(super) path: Vec<&'a str>,
    pub(super) request: &'a RequestOrUrl,
    pub(super) auth: Option<&'a Auth>,
    pub(super) events: Vec<&'a Event>,
    pub(super) behavior: Behavior,
    /// Where its name stands in the text, in bytes.
    at: usize,
}

/// What holds for all that is in a folder.
#[derive(Clone, Default)]
struct Inherited<'a> {
    path: Vec<&'a str>,
    auth: Option<&'a Auth>,
    events: Vec<&'a Event>,
    behavior: Behavior,
}

struct Walk<'a, 'n> {
    source: &'a Source,
    notes: &'n mut Notes,
    /// Items stand in the text as they do in the document, so that a name is looked for behind the one before.
    at: usize,
    found: Vec<Found<'a>>,
}

/// All requests. What is no request is told.
pub(super) fn requests<'a>(source: &'a Source, collection: &'a Collection, notes: &mut Notes) -> Vec<Found<'a>> {
    let inherited = Inherited {
        path: Vec::new(),
        auth: collection.auth.as_ref(),
        events: collection.event.iter().collect(),
        behavior: collection.behavior.clone(),
    };
    let mut walk = Walk { source, notes, at: 0, found: Vec::new() };
    collection.item.iter().for_each(|item| walk.visit(item, &inherited));
    if walk.found.is_empty() {
        walk.notes.todo(Place::START, "the collection has no request");
    }
    walk.found
}

impl<'a> Walk<'a, '_> {
    fn visit(&mut self, item: &'a Item, above: &Inherited<'a>) {
        let quoted = Json::from(item.name.as_str()).to_string();
        self.at = find(self.source, self.at, &quoted).unwrap_or(self.at);
        let mut here = above.clone();
        here.path.push(&item.name);
        here.auth = item.auth.as_ref().or(above.auth);
        here.events.extend(&item.event);
        here.behavior.extend(item.behavior.clone());
        match (&item.request, &item.item) {
            (Some(request), _) => self.found.push(Found {
                path: here.path,
                request,
                auth: here.auth,
                events: here.events,
                behavior: here.behavior,
                at: self.at,
            }),
            (None, Some(_)) if here.path.len() >= DEPTH_MAX => {
                let message = format!("folders below the {DEPTH_MAX}th are not read");
                self.notes.todo(self.source.place_of_offset(self.at), message);
            }
            (None, Some(items)) => items.iter().for_each(|inner| self.visit(inner, &here)),
            (None, None) => {
                let message = format!("`{}` is neither a request nor a folder", item.name);
                self.notes.todo(self.source.place_of_offset(self.at), message);
            }
        }
    }
}

impl Found<'_> {
    pub(super) fn place(&self, source: &Source) -> Place {
        source.place_of_offset(self.at)
    }

    /// Where a line of one of its scripts stands; the request where that is written in another way.
    pub(super) fn place_of(&self, source: &Source, line: &str) -> Place {
        let quoted = Json::from(line).to_string();
        let at = find(source, self.at, &quoted[1..quoted.len() - 1]).filter(|_| !line.is_empty());
        source.place_of_offset(at.unwrap_or(self.at))
    }
}

/// The next place of a text, or else the first one.
fn find(source: &Source, from: usize, text: &str) -> Option<usize> {
    let whole = source.text();
    whole[from..].find(text).map(|at| from + at).or_else(|| whole.find(text))
}
