//! One HTML file that needs nothing else: no network, no other file, and no script to be read. A script adds search,
//! filters and copying.
//!
//! Everything that a subject wrote is escaped by the template engine, and the page's own policy lets only its own script
//! and style run. What is shown is bounded: see [`Gallery`]. Start at [`html`].

mod curl;
mod document;
mod gallery;
mod step;
mod view;

use minijinja::{AutoEscape, Environment, context, syntax::SyntaxConfig, value::Serde};

pub use gallery::Gallery;

use super::Report;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page of a report, with the trials that the gallery holds.
pub fn html(report: &Report, gallery: &Gallery) -> String {
    let page = view::Page::new(report, gallery);
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters do not clash"));
    environment.add_filter("percent", |share: f64| format!("{:.2}", share * 100.0));
    environment.add_template("page", PAGE).expect("the page is a template that compiles");
    let context = context! { page => Serde(page), style => STYLE, script => SCRIPT, nonce => nonce(report) };
    let template = environment.get_template("page").expect("it was added");
    template.render(context).expect("every name in the template is one of the page's")
}

/// What only this page's own script carries. A subject cannot know it: it depends on all that was reported in the end.
fn nonce(report: &Report) -> String {
    let bytes = serde_json::to_vec(report).unwrap_or_default();
    let mut hasher = blake3::Hasher::new_derive_key("harness 2026 report nonce");
    hasher.update(&bytes).finalize().to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests;
