//! The stable names of what can be wrong in a file. Each has a row in `docs/reference/lints.md`.

use located::{Diagnostic, Diagnostics, Place, Source};

/// The enum, its texts and the list of all, from one table.
macro_rules! codes {
    ($($name:ident = $text:literal,)+) => {
        /// Stable names of what can be wrong; they end each message in brackets.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum LintCode {
            $($name,)+
        }

        impl LintCode {
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

codes! {
    BadCapture = "bad-capture",
    BadCase = "bad-case",
    BadExpectation = "bad-expectation",
    BadFormat = "bad-format",
    BadFragment = "bad-fragment",
    BadLimit = "bad-limit",
    BadPath = "bad-path",
    BadSlug = "bad-slug",
    BadVariant = "bad-variant",
    DuplicateCanary = "duplicate-canary",
    DuplicateScenario = "duplicate-scenario",
    EmptySuite = "empty-suite",
    MissingArgument = "missing-argument",
    MissingCanary = "missing-canary",
    MissingTheme = "missing-theme",
    NoAssertion = "no-assertion",
    NoSubject = "no-subject",
    RecursiveUse = "recursive-use",
    ReservedName = "reserved-name",
    StepKind = "step-kind",
    UndeclaredTwin = "undeclared-twin",
    UnknownArgument = "unknown-argument",
    UnknownFault = "unknown-fault",
    UnknownOperation = "unknown-operation",
    UnknownRequirement = "unknown-requirement",
    UnknownTwin = "unknown-twin",
    UnknownVariable = "unknown-variable",
    UnreadableFile = "unreadable-file",
}

impl LintCode {
    /// What a parser says of a document, with a code like everything else.
    pub(crate) fn of_format(diagnostics: Diagnostics) -> Diagnostics {
        let code = Self::BadFormat.as_str();
        let coded = diagnostics
            .0
            .into_iter()
            .map(|diagnostic| Diagnostic { message: format!("{} [{code}]", diagnostic.message), ..diagnostic });
        Diagnostics(coded.collect())
    }

    pub(crate) fn at(self, source: &Source, place: Place, message: impl std::fmt::Display) -> Diagnostic {
        source.diagnostic(place, format!("{message} [{}]", self.as_str()))
    }
}
