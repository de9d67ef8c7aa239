//! The tools of one session by name.

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use model::event::agent::FileChange;
use serde::Deserialize;
use serde_json::Value;

use super::{Effect, Shown, Tool, ToolError};
use crate::{
    conversation::ToolDefinition,
    environment::Environment,
    tools::shown::{Keep, cut_chars},
};

/// Of one result in an event: a build log fits, a core dump does not. With six bytes for each character, which JSON can
/// need, it stays below what the store takes.
const OUTPUT_CHARS_MAX: usize = 100 * 1024;
const BAD_ARGUMENTS_CHARS_MAX: usize = 200; // enough to recognise them; the model has the rest

/// Tools in the order in which the model is told of them.
#[derive(Clone, Default)]
pub struct Toolbox {
    tools: Vec<Arc<dyn AnyTool>>,
}

/// What came of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallOutcome {
    pub ok: bool,
    /// Bounded, for the event.
    pub output: String,
    /// What the model sees where that is less.
    pub shown: Option<String>,
}

impl CallOutcome {
    pub(crate) fn done(output: impl Into<String>) -> Self {
        Self { ok: true, output: output.into(), shown: None }
    }

    pub(crate) fn failed(output: impl Into<String>) -> Self {
        Self { ok: false, output: output.into(), shown: None }
    }
}

impl Toolbox {
    #[must_use]
    pub fn with<T: Tool>(mut self, tool: T) -> Self {
        self.tools.push(Arc::new(Typed { tool, definition: definition::<T>() }));
        self
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(|tool| tool.name())
    }

    pub fn definitions(&self) -> Vec<ToolDefinition> {
        self.tools.iter().map(|tool| tool.definition().clone()).collect()
    }

    /// An unknown tool changes nothing.
    pub fn effect(&self, name: &str) -> Effect {
        self.find(name).map_or(Effect::ReadOnly, AnyTool::effect)
    }

    /// What the call is going to make of a file, where its tool knows that beforehand.
    pub(crate) async fn change(
        &self,
        name: &str,
        arguments: &Value,
        environment: &dyn Environment,
    ) -> Option<FileChange> {
        self.find(name)?.change(arguments, environment).await
    }

    /// Calls a tool; what fails is an outcome, never an error.
    pub async fn call(&self, name: &str, arguments: Value, environment: &dyn Environment) -> CallOutcome {
        let Some(tool) = self.find(name) else {
            let known: Vec<&str> = self.names().collect();
            return CallOutcome::failed(format!("there is no tool `{name}`; the tools are: {}", known.join(", ")));
        };
        let (ok, output) = match tool.call(arguments, environment).await {
            Ok(output) => (true, output),
            Err(error) => (false, error.to_string()),
        };
        let shown = tool.shown().cut(&output);
        let output = cut_chars(&output, OUTPUT_CHARS_MAX, Keep::HeadTail).unwrap_or(output);
        CallOutcome { ok, output, shown }
    }

    fn find(&self, name: &str) -> Option<&dyn AnyTool> {
        self.tools.iter().find(|tool| tool.name() == name).map(AsRef::as_ref)
    }
}

/// A tool whose arguments are checked at call time.
#[async_trait]
trait AnyTool: Send + Sync {
    fn name(&self) -> &str;
    fn effect(&self) -> Effect;
    fn shown(&self) -> Shown;
    fn definition(&self) -> &ToolDefinition;
    async fn change(&self, arguments: &Value, environment: &dyn Environment) -> Option<FileChange>;
    async fn call(&self, arguments: Value, environment: &dyn Environment) -> Result<String, ToolError>;
}

struct Typed<T> {
    tool: T,
    definition: ToolDefinition,
}

#[async_trait]
impl<T: Tool> AnyTool for Typed<T> {
    fn name(&self) -> &str {
        T::NAME
    }

    fn effect(&self) -> Effect {
        T::EFFECT
    }

    fn shown(&self) -> Shown {
        T::SHOWN
    }

    fn definition(&self) -> &ToolDefinition {
        &self.definition
    }

    async fn change(&self, arguments: &Value, environment: &dyn Environment) -> Option<FileChange> {
        self.tool.change(&T::Arguments::deserialize(arguments).ok()?, environment).await
    }

    async fn call(&self, arguments: Value, environment: &dyn Environment) -> Result<String, ToolError> {
        let arguments = checked::<T>(arguments)?;
        self.tool.call(arguments, environment).await
    }
}

fn definition<T: Tool>() -> ToolDefinition {
    let mut parameters = schemars::schema_for!(T::Arguments).to_value();
    if let Some(schema) = parameters.as_object_mut() {
        // Providers refuse or ignore them, and each costs tokens in every turn.
        schema.remove("$schema");
        schema.remove("title");
    }
    ToolDefinition { name: T::NAME.to_owned(), description: T::DESCRIPTION.to_owned(), parameters }
}

fn checked<T: Tool>(arguments: Value) -> Result<T::Arguments, ToolError> {
    let bad = |reason: Cow<'_, str>| {
        ToolError::Told(format!("the arguments do not fit `{}`: {reason}; nothing was done", T::NAME))
    };
    if let Value::String(text) = &arguments {
        let start: String = text.chars().take(BAD_ARGUMENTS_CHARS_MAX).collect();
        return Err(bad(format!("they are no whole JSON object: {start}").into()));
    }
    T::Arguments::deserialize(arguments).map_err(|error| bad(error.to_string().into()))
}
