//! One module per service. Adding one: implement [`crate::twin::Twin`], add a line to each function here.

mod filter;
mod mail;
mod resend;
mod sendgrid;
mod slack;
mod smtp;

mod anthropic;
mod github;
mod llm;
mod oidc;
mod okta;
mod openai;
mod s3;
pub(crate) mod scim;
mod stripe;

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use self::{
    anthropic::Anthropic, github::GitHub, oidc::Oidc, okta::Okta, openai::Openai, resend::Resend, s3::S3, scim::Scim,
    sendgrid::Sendgrid, slack::Slack, smtp::Smtp, stripe::Stripe,
};
use crate::{
    TwinError, definition,
    twin::{AnyTwin, TwinInfo, hosted},
};

pub(crate) fn catalogue() -> Vec<TwinInfo> {
    vec![
        TwinInfo::of::<Anthropic>(),
        TwinInfo::of::<GitHub>(),
        TwinInfo::of::<Oidc>(),
        TwinInfo::of::<Okta>(),
        TwinInfo::of::<Openai>(),
        TwinInfo::of::<Resend>(),
        TwinInfo::of::<S3>(),
        TwinInfo::of::<Scim>(),
        TwinInfo::of::<Sendgrid>(),
        TwinInfo::of::<Slack>(),
        TwinInfo::of::<Smtp>(),
        TwinInfo::of::<Stripe>(),
    ]
}

/// A twin in its first state.
pub(crate) fn open(name: &str, config: Value) -> Result<Box<dyn AnyTwin>, TwinError> {
    match name {
        _ if definition::is_path(name) => definition::open(Path::new(name), config),
        "anthropic" => Ok(hosted(Anthropic::open(parse(name, config)?)?)),
        "github" => Ok(hosted(GitHub::open(parse(name, config)?)?)),
        "oidc" => Ok(hosted(Oidc::open(parse(name, config)?)?)),
        "okta" => Ok(hosted(Okta::open(parse(name, config)?)?)),
        "openai" => Ok(hosted(Openai::open(parse(name, config)?)?)),
        "resend" => Ok(hosted(Resend::open(parse(name, config)?))),
        "s3" => Ok(hosted(S3::open(parse(name, config)?)?)),
        "scim" => Ok(hosted(Scim::open(parse(name, config)?)?)),
        "sendgrid" => Ok(hosted(Sendgrid::open(parse(name, config)?))),
        "slack" => Ok(hosted(Slack::open(parse(name, config)?).map_err(|why| misfit(name, why))?)),
        "smtp" => Ok(hosted(Smtp::open(parse(name, config)?).map_err(|why| misfit(name, why))?)),
        "stripe" => Ok(hosted(Stripe::open(parse(name, config)?))),
        _ => {
            let known: Vec<_> = catalogue().iter().map(|twin| twin.name).collect();
            Err(TwinError::UnknownTwin { twin: name.to_owned(), known: known.join(", ") })
        }
    }
}

fn misfit(twin: &str, why: String) -> TwinError {
    TwinError::Config { twin: twin.to_owned(), why }
}

/// No configuration is an empty one.
fn parse<T: DeserializeOwned>(twin: &str, config: Value) -> Result<T, TwinError> {
    let config = if config.is_null() { Value::Object(serde_json::Map::new()) } else { config };
    serde_json::from_value(config).map_err(|error| misfit(twin, error.to_string()))
}
