//! The forms in which a report can be had, by their names on the command line.

use std::str::FromStr;

use super::{Gallery, Paint, Report, annotations, ctrf, html, junit, markdown, tap, terminal};

/// A form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people at a terminal.
    Terminal,
    Json,
    Junit,
    /// TAP 14.
    Tap,
    Ctrf,
    /// Workflow commands for GitHub Actions.
    Github,
    /// The summary of a job.
    Markdown,
    /// One self-contained page.
    Html,
}

impl Format {
    pub const ALL: [(&'static str, Self); 8] = [
        ("terminal", Self::Terminal),
        ("json", Self::Json),
        ("junit", Self::Junit),
        ("tap", Self::Tap),
        ("ctrf", Self::Ctrf),
        ("github", Self::Github),
        ("markdown", Self::Markdown),
        ("html", Self::Html),
    ];

    /// Whether it shows trials in detail.
    pub fn needs_gallery(self) -> bool {
        self == Self::Html
    }

    /// # Errors
    /// Where the report cannot be written as JSON, which none of ours is.
    pub fn render(self, report: &Report, gallery: &Gallery, paint: Paint) -> serde_json::Result<String> {
        Ok(match self {
            Self::Terminal => terminal(report, paint),
            Self::Json => serde_json::to_string_pretty(report)? + "\n",
            Self::Junit => junit(report),
            Self::Tap => tap(report),
            Self::Ctrf => serde_json::to_string_pretty(&ctrf(report))? + "\n",
            Self::Github => annotations(report),
            Self::Markdown => markdown(report),
            Self::Html => html(report, gallery),
        })
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|(name, _)| *name == text);
        known.map(|(_, format)| *format).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("write one of {}", names.join(", "))
        })
    }
}
