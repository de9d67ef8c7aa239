//! Values that a run is given: variables, and among them the secrets.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use clap::Args;
use harness::{variable, variables};
use located::Source;
use serde_json::Value as Json;

use super::Failed;

#[derive(Args, Debug)]
pub(super) struct GivenArgs {
    /// Gives scenarios a value, typed as YAML types it; it stands in for a variable of that name
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    vars: Vec<(String, Json)>,
    /// A YAML file of such values
    #[arg(long, value_name = "FILE")]
    vars_file: Option<PathBuf>,
    /// Gives a value that no record, report or log shows; other users of the machine can read a command line
    #[arg(long = "secret", value_name = "NAME=VALUE", value_parser = variable)]
    secrets: Vec<(String, Json)>,
    /// A YAML file of such values
    #[arg(long, value_name = "FILE")]
    secrets_file: Option<PathBuf>,
}

/// The values, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) vars: BTreeMap<String, Json>,
    /// Names of those that are secrets.
    pub(super) secrets: BTreeSet<String>,
}

impl GivenArgs {
    /// A name is a variable or a secret: of one that is both, nobody could say whether it may be shown.
    pub(super) fn read(&self) -> Result<Given, Failed> {
        let mut vars = values(self.vars_file.as_deref(), &self.vars)?;
        let secrets = values(self.secrets_file.as_deref(), &self.secrets)?;
        if let Some(name) = secrets.keys().find(|name| vars.contains_key(*name)) {
            return Err(Failed::Use(format!("`{name}` is given as a variable and as a secret; give it once")));
        }
        let names = secrets.keys().cloned().collect();
        vars.extend(secrets);
        Ok(Given { vars, secrets: names })
    }

    /// The same words again, but for the values.
    pub(super) fn words(&self) -> Vec<(&'static str, String)> {
        let file = |flag, file: &Option<PathBuf>| file.as_ref().map(|file| (flag, file.display().to_string()));
        let name = |flag, (name, _): &(String, Json)| (flag, format!("{name}=…"));
        let vars =
            file("--vars-file", &self.vars_file).into_iter().chain(self.vars.iter().map(|var| name("--var", var)));
        let secrets = self.secrets.iter().map(|secret| name("--secret", secret));
        vars.chain(file("--secrets-file", &self.secrets_file)).chain(secrets).collect()
    }
}

/// Those of the command line stand over those of the file.
fn values(file: Option<&Path>, given: &[(String, Json)]) -> Result<BTreeMap<String, Json>, Failed> {
    let mut values = match file {
        Some(path) => variables(&Source::read(path).map_err(located::Diagnostics::from)?)?,
        None => BTreeMap::new(),
    };
    values.extend(given.iter().cloned());
    Ok(values)
}
