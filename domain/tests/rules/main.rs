//! The rules of every aggregate: given what happened, when this is asked, then that happens, or is refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod account;
mod app;
mod audit;
mod channel;
mod group;
mod identity;
mod post;
mod team;
mod user;

use chrono::{DateTime, TimeDelta, Utc};
use palaver_domain::{Actor, Circumstances, FieldErrors, UserId};

fn now() -> DateTime<Utc> {
    "2025-03-01T12:00:00Z".parse().unwrap()
}

fn in_minutes(minutes: i64) -> DateTime<Utc> {
    now() + TimeDelta::minutes(minutes)
}

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 12])
}

/// The acting person is user 1.
fn circumstances() -> Circumstances {
    Circumstances { now: now(), actor: Actor::User(user(1)) }
}

fn fields(expected: &[(&str, &[&str])]) -> FieldErrors {
    let owned = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
    expected.iter().map(|(field, codes)| ((*field).to_owned(), owned(codes))).collect()
}
