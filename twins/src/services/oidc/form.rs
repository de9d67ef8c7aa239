//! The pages on which a person signs in.

use crate::http::{Reply, Request};

/// All that the client asked, and two fields more. `target` is where the page is sent.
pub(super) fn page(request: &Request, target: &str, problem: Option<&str>) -> Reply {
    let fields = request.fields().as_object().into_iter().flatten();
    let kept = fields.filter(|(name, _)| !matches!(name.as_str(), "username" | "password" | "decision"));
    let hidden: String = kept
        .filter_map(|(name, value)| Some((name, value.as_str()?)))
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escaped(name), escaped(value)))
        .collect();
    let hint = request.fields().get("login_hint").and_then(|hint| hint.as_str()).unwrap_or_default();
    sign_in(request, target, "Sign in", &hidden, hint, problem)
}

/// The same for the code of a device.
pub(super) fn device_page(request: &Request, target: &str, problem: Option<&str>) -> Reply {
    let code = request.fields().get("user_code").and_then(|code| code.as_str()).unwrap_or_default();
    let field = format!("<label>Code <input name=\"user_code\" value=\"{}\"></label>", escaped(code));
    sign_in(request, target, "Activate your device", &field, "", problem)
}

/// A page that only says something.
pub(super) fn note(text: &str) -> Reply {
    let html = format!("<!doctype html><html lang=\"en\"><title>{text}</title><h1>{text}</h1></html>");
    Reply::bytes(200, "text/html; charset=utf-8", html)
}

fn sign_in(request: &Request, target: &str, title: &str, more: &str, hint: &str, problem: Option<&str>) -> Reply {
    let problem = problem.map(|problem| format!("<p role=\"alert\">{problem}</p>")).unwrap_or_default();
    let html = format!(
        "<!doctype html><html lang=\"en\"><title>{title}</title><h1>{title}</h1>{problem}\
         <form method=\"post\" action=\"{}{target}\">{more}\
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
