//! `/__admin/mappings`: stubs, made, changed and taken away.

use serde_json::{Value as Json, json};

use super::{
    Answered, Desk, done, ok,
    pattern::{pattern_of, stub_of},
    refused,
};
use crate::{
    engine::seed::hex_id,
    http::{Reply, Request},
    stub::View,
};

impl Desk<'_> {
    pub(super) fn mappings(&self, parts: &[&str]) -> Answered {
        match (self.request.method.as_str(), parts) {
            ("GET", []) => self.list(|_| true),
            ("GET", ["unmatched"]) => self.list(|shown| shown["hits"] == 0),
            ("POST", []) => {
                let mapping = self.put(self.json()?.clone(), None)?;
                Ok(Reply::json(201, &mapping))
            }
            ("DELETE", []) => self.act("remove_stubs", Json::Null).map(|_| done()),
            ("POST", ["reset"]) => self.act("reset_stubs", Json::Null).map(|_| done()),
            ("POST", ["import"]) => self.import(self.json()?),
            ("POST", ["remove"]) => self.remove(self.json()?),
            ("POST", ["find-by-metadata"]) => {
                let found: Vec<_> = self.by_metadata(self.json()?)?.iter().map(mapping_of).collect();
                Ok(ok(&json!({"mappings": found, "meta": {"total": found.len()}})))
            }
            ("POST", ["remove-by-metadata"]) => {
                let gone: Vec<_> = self.by_metadata(self.json()?)?.iter().map(|shown| shown["id"].clone()).collect();
                self.act("remove_stubs", json!(gone)).map(|_| done())
            }
            ("GET", [id]) => self.find(id).map(|mapping| ok(&mapping)),
            ("PUT", [id]) => {
                self.find(id)?;
                self.put(self.json()?.clone(), Some(id)).map(|mapping| ok(&mapping))
            }
            ("DELETE", [id]) => {
                self.find(id)?;
                self.act("remove_stubs", json!([id])).map(|_| done())
            }
            _ => Err(self.unknown()),
        }
    }

    fn list(&self, wanted: impl Fn(&Json) -> bool) -> Answered {
        let all: Vec<_> = self.stubs()?.iter().filter(|shown| wanted(shown)).map(mapping_of).collect();
        let total = all.len();
        Ok(ok(&json!({"mappings": self.page(all), "meta": {"total": total}})))
    }

    /// As the twin shows them, in the order in which they are asked.
    pub(super) fn stubs(&self) -> Result<Vec<Json>, Reply> {
        match self.act("stubs", Json::Null)? {
            Json::Array(stubs) => Ok(stubs),
            _ => Ok(Vec::new()),
        }
    }

    fn find(&self, id: &str) -> Result<Json, Reply> {
        let found = self.stubs()?.iter().find(|shown| shown["id"] == id).map(mapping_of);
        found.ok_or_else(|| refused(404, &format!("there is no mapping `{id}`")))
    }

    /// The stubs whose metadata a body with this pattern could be.
    fn by_metadata(&self, pattern: &Json) -> Result<Vec<Json>, Reply> {
        let pattern = pattern_of(&json!({"method": "POST", "bodyPatterns": [pattern]}))?;
        let fits = |metadata: &Json| {
            let body = metadata.to_string().into();
            pattern.fits(&View::new(&Request::told("POST", "application/json", Some(body), &[])))
        };
        let mut stubs = self.stubs()?;
        stubs.retain(|shown| Some(&shown["stub"]["metadata"]).filter(|metadata| !metadata.is_null()).is_some_and(fits));
        Ok(stubs)
    }

    /// Makes or replaces a mapping; gives it with its id.
    fn put(&self, mut mapping: Json, id: Option<&str>) -> Result<Json, Reply> {
        let stub = stub_of(&mapping)?;
        let id = id.or_else(|| mapping["id"].as_str()).or_else(|| mapping["uuid"].as_str());
        let id = id.map_or_else(|| self.fresh_id(), str::to_owned);
        (mapping["id"], mapping["uuid"]) = (json!(id), json!(id));
        self.act("put_stubs", json!([{"id": id, "stub": stub, "source": mapping}]))?;
        Ok(mapping)
    }

    /// The shape of a UUID, drawn from the seed.
    fn fresh_id(&self) -> String {
        let mut core = self.shared.core();
        let cell = core.cells.get_mut(self.twin).expect("a listener exists only for a twin of the space");
        hex_id(&cell.ids.next("mapping", 24))
    }

    fn import(&self, import: &Json) -> Answered {
        let known: Vec<String> = self.stubs()?.iter().filter_map(|it| it["id"].as_str().map(str::to_owned)).collect();
        let mappings = import["mappings"].as_array().ok_or_else(|| refused(422, "there are no `mappings`"))?;
        let ignores = import["importOptions"]["duplicatePolicy"] == "IGNORE";
        let mut kept = Vec::new();
        // The first one is asked first, as in their imports.
        for mapping in mappings.iter().rev() {
            let id = mapping["id"].as_str().or_else(|| mapping["uuid"].as_str());
            match id.filter(|id| ignores && known.iter().any(|known| known == id)) {
                Some(id) => kept.push(id.to_owned()),
                None => kept.push(self.put(mapping.clone(), None)?["id"].as_str().unwrap_or_default().to_owned()),
            }
        }
        if import["importOptions"]["deleteAllNotInImport"] == true {
            let gone: Vec<_> = known.iter().filter(|id| !kept.contains(id)).collect();
            self.act("remove_stubs", json!(gone))?;
        }
        Ok(done())
    }

    /// By its id, or else by its request.
    fn remove(&self, mapping: &Json) -> Answered {
        let id = mapping["id"].as_str().or_else(|| mapping["uuid"].as_str());
        let is_it = |shown: &Json| match id {
            Some(id) => shown["id"] == id,
            None => shown["stub"]["request"] == mapping["request"],
        };
        let gone: Vec<_> = self.stubs()?.into_iter().filter(is_it).map(|shown| shown["id"].clone()).collect();
        self.act("remove_stubs", json!(gone)).map(|_| done())
    }
}

/// A stub as a mapping. One that stands in the definition shows what a mapping can say of it, and itself in `metadata`.
pub(super) fn mapping_of(shown: &Json) -> Json {
    let stub = &shown["stub"];
    if stub["request"].is_object() {
        return stub.clone();
    }
    let mut request = json!({"method": stub["method"].as_str().unwrap_or("ANY")});
    let names = [("url", "url"), ("url_matches", "urlPattern"), ("path_matches", "urlPathPattern")];
    for (ours, theirs) in names.into_iter().filter(|(ours, _)| !stub[*ours].is_null()) {
        request[theirs] = stub[ours].clone();
    }
    if let Some(path) = stub["path"].as_str() {
        request[if path.contains('{') { "urlPathTemplate" } else { "urlPath" }] = json!(path);
    }
    json!({
        "id": shown["id"],
        "uuid": shown["id"],
        "name": shown["operation"],
        "request": request,
        "response": {"status": stub["answer"]["status"].as_u64().unwrap_or(200)},
        "metadata": {"stub": stub},
    })
}
