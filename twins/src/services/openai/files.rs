//! Files: uploaded as multipart forms, listed by pages, read back byte for byte.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::{Openai, errors};
use crate::{
    http::{Content, Part, Reply, Request},
    twin::{Answer, Context},
};

const FILES_MAX: usize = 10_000; // also the largest page
const PURPOSES: [&str; 6] = ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"];

#[derive(Clone)]
pub(super) struct StoredFile {
    object: Value,
    bytes: Bytes,
}

impl StoredFile {
    pub(super) fn object(&self) -> &Value {
        &self.object
    }
}

impl Openai {
    pub(super) fn create_file(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let Content::Multipart(parts) = &request.content else { return Err(errors::missing("file")) };
        let part = |name: &str| parts.iter().find(|part| part.name == name);
        let file = part("file").ok_or_else(|| errors::missing("file"))?;
        let purpose = text(part("purpose").ok_or_else(|| errors::missing("purpose"))?);
        if !PURPOSES.contains(&purpose.as_str()) {
            let message = format!("'{purpose}' is not one of {PURPOSES:?} - 'purpose'");
            return Err(errors::invalid(&message, "purpose", None));
        }
        if self.files.len() == FILES_MAX {
            self.files.remove_oldest();
        }
        let lives_s = part("expires_after[seconds]").and_then(|part| text(part).parse::<i64>().ok());
        let id = context.id("file-", 22);
        let object = json!({"id": id, "object": "file", "bytes": file.bytes.len(), "created_at": context.unix(),
            "expires_at": lives_s.map(|seconds| context.unix().saturating_add(seconds)),
            "filename": file.file_name.as_deref().unwrap_or("file"), "purpose": purpose,
            "status": "processed", "status_details": null});
        self.files.insert(&id, StoredFile { object: object.clone(), bytes: file.bytes.clone() });
        Ok(Reply::json(200, &object))
    }

    pub(super) fn list_files(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let query = &request.query;
        let limit = limit(query)?;
        let purpose = query["purpose"].as_str();
        let wanted = |file: &&StoredFile| purpose.is_none_or(|purpose| file.object["purpose"] == purpose);
        let mut all: Vec<&Value> = self.files.newest_first().filter(wanted).map(StoredFile::object).collect();
        if query["order"] == "asc" {
            all.reverse();
        }
        let start = match query["after"].as_str() {
            Some(after) => all.iter().position(|file| file["id"] == after).map_or(all.len(), |at| at + 1),
            None => 0,
        };
        let page: Vec<&&Value> = all[start..].iter().take(limit).collect();
        let has_more = all.len() - start > page.len();
        let (first, last) = (page.first().map(|file| &file["id"]), page.last().map(|file| &file["id"]));
        let body = json!({"object": "list", "data": page, "has_more": has_more, "first_id": first, "last_id": last});
        Ok(Reply::json(200, &body))
    }

    pub(super) fn retrieve_file(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        self.file(request).map(|file| Reply::json(200, &file.object))
    }

    pub(super) fn file_content(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let file = self.file(request)?;
        if file.object["purpose"] == "assistants" {
            let message = "Not allowed to download files of purpose: assistants";
            return Err(errors::error(400, "invalid_request_error", message, None, None));
        }
        Ok(Reply::bytes(200, "application/octet-stream", file.bytes.clone()))
    }

    pub(super) fn delete_file(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        self.file(request)?;
        let id = request.param("file_id");
        self.files.remove(id);
        Ok(Reply::json(200, &json!({"id": id, "object": "file", "deleted": true})))
    }

    fn file(&self, request: &Request) -> Result<&StoredFile, Reply> {
        let id = request.param("file_id");
        self.files.get(id).ok_or_else(|| errors::not_found(&format!("No such File object: {id}"), Some("id")))
    }
}

fn text(part: &Part) -> String {
    String::from_utf8_lossy(&part.bytes).into_owned()
}

fn limit(query: &Value) -> Result<usize, Reply> {
    let Some(given) = query["limit"].as_str() else { return Ok(FILES_MAX) };
    let number = given.parse::<usize>().ok().filter(|number| (1..=FILES_MAX).contains(number));
    let message = format!("Invalid 'limit': expected an integer from 1 to {FILES_MAX}, but got {given} instead.");
    number.ok_or_else(|| errors::invalid(&message, "limit", Some("invalid_value")))
}
