//! `/settings`: what can be chosen from, in the caller's language, and what the account has of it. Source: seed 003.

pub(super) mod features;
mod iso;
pub(super) mod options;
pub(super) mod panel;
mod words;
