//! Files: announced, uploaded to an address of their own, then completed and shared.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::{
    Slack,
    call::{Call, Made},
    errors::Failure,
    messages::written,
    model::{Content, File, Message, Stage},
    show::kind_of,
};
use crate::{
    http::{Content as Body, Reply, Request},
    twin::{Answer, Context},
};

const FILES_MAX: usize = 10; // completed in one call
const PAGE_DEFAULT: usize = 100;

impl Slack {
    pub(super) fn announce_upload(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let name = call.need("filename")?;
        let length = call.number("length").ok_or_else(|| Failure::argument("missing required field: length"))?;
        let length = usize::try_from(length).ok().filter(|length| *length > 0);
        let length = length.ok_or_else(|| Failure::argument("must be greater than 0 [json-pointer:/length]"))?;
        let id = format!("F{}", call.context.id("file", 10).to_uppercase());
        let origin = call.request.origin();
        let file = File {
            id: id.clone(),
            name: name.to_owned(),
            title: name.to_owned(),
            alt_text: call.owned("alt_text").or_else(|| call.owned("alt_txt")),
            user: call.actor.user.clone(),
            created: call.context.unix(),
            length,
            stage: Stage::Announced,
            bytes: Bytes::new(),
            channels: Vec::new(),
            origin: origin.clone(),
        };
        self.files.insert(&id, file);
        Ok(json!({"upload_url": format!("{origin}/upload/v1/{id}"), "file_id": id}))
    }

    /// The address is the credential.
    pub(super) fn receive_upload(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let plain = |status, text: &str| Reply::bytes(status, "text/plain; charset=utf-8", text.to_owned());
        let bytes = match &request.content {
            Body::Multipart(parts) => parts.first().map(|part| part.bytes.clone()).unwrap_or_default(),
            _ => request.body.clone(),
        };
        let file = self.files.get_mut(request.param("key")).filter(|file| file.stage == Stage::Announced);
        let Some(file) = file else { return Err(plain(404, "not_found")) };
        if bytes.len() != file.length {
            return Err(plain(400, "length_mismatch"));
        }
        (file.stage, file.bytes) = (Stage::Uploaded, bytes);
        Ok(plain(200, &format!("OK - {}", file.length)))
    }

    pub(super) fn complete_upload(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let files = call.structure("files", "invalid_arguments")?;
        let files = files.as_array().filter(|files| (1..=FILES_MAX).contains(&files.len()));
        let files = files.ok_or_else(|| Failure::argument("missing required field: files"))?;
        let mut ids = Vec::new();
        for given in files {
            let id = given["id"].as_str().unwrap_or_default();
            let file = self.files.get(id).filter(|file| file.user == call.actor.user).ok_or("file_not_found")?;
            if file.stage != Stage::Uploaded {
                return Err("file_upload_not_complete".into());
            }
            ids.push(id.to_owned());
        }
        let mut channels = call.list("channels");
        channels.extend(call.owned("channel_id").filter(|id| !channels.contains(id)));
        for channel in &channels {
            let channel = self.seen_channel(call, channel)?;
            if !channel.has(&call.actor.user) {
                return Err("not_in_channel".into());
            }
        }
        let blocks = call.structure("blocks", "invalid_blocks_format")?;
        for (id, given) in ids.iter().zip(files) {
            let file = self.files.get_mut(id).ok_or("file_not_found")?;
            file.stage = Stage::Complete;
            file.channels.clone_from(&channels);
            file.title = given["title"].as_str().map_or_else(|| file.name.clone(), str::to_owned);
        }
        for channel in &channels {
            self.share(call, channel, &ids, &blocks);
        }
        let shown = ids.iter().filter_map(|id| self.files.get(id)).map(|file| self.file_json(file));
        Ok(json!({ "files": shown.collect::<Vec<_>>() }))
    }

    fn share(&mut self, call: &mut Call<'_, '_, '_>, channel: &str, ids: &[String], blocks: &Value) {
        let text = call.owned("initial_comment").unwrap_or_default();
        let content = Content { text, blocks: blocks.clone(), ..Content::default() };
        let message = written(call.context, channel, &call.actor.user, call.actor.is_bot(), content);
        let thread_ts = call.owned("thread_ts");
        self.post(call.context, Message { files: ids.to_vec(), thread_ts, ..message });
        for id in ids {
            let event = json!({"channel_id": channel, "file_id": id, "user_id": call.actor.user, "file": {"id": id}});
            self.announce(call.context, "file_shared", event);
        }
    }

    pub(super) fn show_file(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let file = self.complete_file(call.need("file")?)?;
        let mut answer =
            json!({"file": self.file_json(file), "comments": [], "response_metadata": {"next_cursor": ""}});
        if kind_of(&file.name).1.starts_with("text/") {
            answer["content"] = String::from_utf8_lossy(&file.bytes).into_owned().into();
        }
        Ok(answer)
    }

    /// By page number, as nothing else in the service.
    pub(super) fn list_files(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let wanted = |file: &&File| {
            file.stage == Stage::Complete
                && call.text("user").is_none_or(|user| file.user == user)
                && call.text("channel").is_none_or(|channel| file.channels.iter().any(|own| own == channel))
        };
        let found: Vec<_> = self.files.newest_first().filter(wanted).map(|file| self.file_json(file)).collect();
        let number = |name, otherwise| {
            call.number(name)
                .and_then(|number| usize::try_from(number).ok())
                .filter(|number| *number > 0)
                .unwrap_or(otherwise)
        };
        let (count, page) = (number("count", PAGE_DEFAULT).min(1_000), number("page", 1));
        let (total, pages) = (found.len(), found.len().div_ceil(count).max(1));
        let files: Vec<_> = found.into_iter().skip(count * (page - 1)).take(count).collect();
        Ok(json!({"files": files, "paging": {"count": count, "total": total, "page": page, "pages": pages}}))
    }

    pub(super) fn delete_file(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let file = self.complete_file(call.need("file")?)?;
        if file.user != call.actor.user {
            return Err("cant_delete_file".into());
        }
        let id = file.id.clone();
        self.files.remove(&id);
        self.announce(call.context, "file_deleted", json!({ "file_id": id }));
        Ok(json!({}))
    }

    pub(super) fn download_file(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let file = self.complete_file(request.param("id")).map_err(Failure::reply)?;
        Ok(Reply::bytes(200, kind_of(&file.name).1, file.bytes.clone()))
    }

    fn complete_file(&self, id: &str) -> Result<&File, Failure> {
        let file = self.files.get(id).filter(|file| file.stage == Stage::Complete);
        file.ok_or_else(|| "file_not_found".into())
    }
}
