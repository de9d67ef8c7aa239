//! The page on which a person signs in: all that the client asked, and two fields more.

use crate::http::{Reply, Request};

pub(super) fn page(request: &Request, problem: Option<&str>) -> Reply {
    let fields = request.fields().as_object().into_iter().flatten();
    let kept = fields.filter(|(name, _)| !matches!(name.as_str(), "username" | "password" | "decision"));
    let hidden: String = kept
        .filter_map(|(name, value)| Some((name, value.as_str()?)))
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escaped(name), escaped(value)))
        .collect();
    let hint = request.fields().get("login_hint").and_then(|hint| hint.as_str()).unwrap_or_default();
    let problem = problem.map(|problem| format!("<p role=\"alert\">{problem}</p>")).unwrap_or_default();
    let html = format!(
        "<!doctype html><html lang=\"en\"><title>Sign in</title><h1>Sign in</h1>{problem}\
         <form method=\"post\" action=\"{}/authorize\">{hidden}\
         <label>Username <input name=\"username\" value=\"{}\" autocomplete=\"username\"></label>\
         <label>Password <input name=\"password\" type=\"password\" autocomplete=\"current-password\"></label>\
         <button>Sign in</button> <button name=\"decision\" value=\"deny\">Cancel</button></form></html>",
        escaped(&request.mount),
        escaped(hint)
    );
    let status = if problem.is_empty() { 200 } else { 401 };
    Reply::bytes(status, "text/html; charset=utf-8", html)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
