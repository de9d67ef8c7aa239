//! The twins over real HTTP, as a product sees them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod anthropic;
mod cli;
mod determinism;
mod determinism_gate;
mod drift;
mod faults;
mod fuzz;
mod github;
mod hostile;
mod journal;
mod lifecycle;
mod llm_sdks;
mod mail_and_chat;
mod oidc;
mod okta;
mod openai;
mod own;
mod proxy;
mod record;
mod recorded;
mod refusals;
mod resend;
mod s3;
mod scim;
mod script;
mod sdk;
mod sendgrid;
mod slack;
mod smtp;
mod spaces;
mod stripe;
mod stripe_billing;
mod stripe_sdks;
mod support;
mod tape;
mod webhooks;
