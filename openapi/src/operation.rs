//! Operations: one for each method of each path.

use located::Place;
use serde_json::{Map, Value as Json};

use crate::Document;

const OPERATIONS_MAX: usize = 5_000; // the largest descriptions in use have some thousands
const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

/// One method of one path.
#[derive(Clone, Debug)]
pub struct Operation<'a> {
    document: &'a Document,
    item: &'a Json,
    /// As it is written: `/orders/{id}`.
    pub path: &'a str,
    /// The path below that of the first server: what a request is sent to.
    pub route: String,
    /// In lower case.
    pub method: &'static str,
    pub spec: &'a Map<String, Json>,
}

impl Document {
    /// In the order of the document; an extension among the paths is none.
    pub fn operations(&self) -> Vec<Operation<'_>> {
        let (base, paths) = (self.base_path(), self.get("/paths").as_object().into_iter().flatten());
        let paths = paths.filter(|(path, _)| path.starts_with('/'));
        let all = paths.flat_map(|(path, item)| {
            let item = self.resolve(item);
            METHODS.into_iter().filter_map(move |method| {
                let spec = item.get(method)?.as_object()?;
                Some(Operation { document: self, item, path, route: format!("{base}{path}"), method, spec })
            })
        });
        all.take(OPERATIONS_MAX).collect()
    }
}

impl<'a> Operation<'a> {
    pub fn id(&self) -> Option<&'a str> {
        self.spec.get("operationId")?.as_str()
    }

    /// Its own parameters, then those of the path that it does not replace; references are followed.
    pub fn parameters(&self) -> Vec<&'a Json> {
        let document = self.document;
        let list = |holder: Option<&'a Json>| {
            holder.and_then(Json::as_array).into_iter().flatten().map(|parameter| document.resolve(parameter))
        };
        let mut all: Vec<&Json> = list(self.spec.get("parameters")).collect();
        for parameter in list(self.item.get("parameters")) {
            let is_same = |known: &&Json| known["name"] == parameter["name"] && known["in"] == parameter["in"];
            if !all.iter().any(is_same) {
                all.push(parameter);
            }
        }
        all
    }

    /// What it takes; null where that is nothing.
    pub fn body(&self) -> &'a Json {
        self.spec.get("requestBody").map_or(&Json::Null, |body| self.document.resolve(body))
    }

    /// Declared statuses with their answers: `201`, `4XX`, `default`.
    pub fn responses(&self) -> impl Iterator<Item = (&'a str, &'a Json)> + use<'a> {
        let (document, responses) = (self.document, self.spec.get("responses").and_then(Json::as_object));
        let entries = responses.into_iter().flatten();
        entries.map(move |(status, response)| (status.as_str(), document.resolve(response)))
    }

    /// The first declared success.
    pub fn success(&self) -> Option<(&'a str, &'a Json)> {
        self.responses().find(|(status, _)| status.starts_with('2'))
    }

    /// Where it stands in the file, as far as the text tells.
    pub fn place(&self) -> Place {
        let of_path = |end: char| self.document.place_of(&format!("{}{end}", self.path));
        let of_id = self.id().and_then(|id| self.document.place_of(id));
        of_id.or_else(|| of_path('"')).or_else(|| of_path(':')).unwrap_or(Place::START)
    }
}

#[cfg(test)]
mod tests {
    use located::Source;

    use crate::Document;

    #[test]
    fn an_operation_has_its_own_parameters_and_those_of_its_path() {
        let text = "openapi: 3.0.3\nservers: [{ url: /v1 }]\npaths:\n  x-note: { get: {} }\n  /pets/{id}:\n    \
                    parameters: [{ name: id, in: path }, { name: limit, in: query, from: path }]\n    get:\n      \
                    operationId: readPet\n      parameters: [{ name: limit, in: query }]\n      \
                    responses: { default: {}, 200: { $ref: '#/shown' } }\nshown: { description: a pet }\n";
        let document = Document::read(&Source::new("a.yaml", text)).unwrap();
        let operations = document.operations();
        let [get] = &operations[..] else { panic!("{operations:?}") };
        assert_eq!((get.method, get.route.as_str(), get.place().line), ("get", "/v1/pets/{id}", 8));
        let parameters = get.parameters();
        assert_eq!(parameters.iter().map(|one| one["name"].as_str().unwrap()).collect::<Vec<_>>(), ["limit", "id"]);
        assert!(parameters[0].get("from").is_none(), "its own replaces that of the path");
        let (status, success) = get.success().unwrap();
        assert_eq!((status, success["description"].as_str()), ("200", Some("a pet")));
        assert!(get.body().is_null());
    }
}
