use chrono::{DateTime, Utc};
use cqrs_es::{
    Aggregate,
    test::{AggregateTestExecutor, TestFramework},
};
use palaver_domain::{
    AccountId, AppId, ENDED_KEYS_PER_APP_MAX, KEYS_PER_APP_MAX, KeyId,
    identity::{App, AppCommand, AppError, AppEvent, AppState, Permission},
};

use super::{circumstances, fields, in_minutes, now};

fn given(events: Vec<AppEvent>) -> AggregateTestExecutor<App> {
    TestFramework::with(circumstances()).given(events)
}

fn registered() -> AppEvent {
    AppEvent::Registered { id: AppId::default(), account_id: AccountId::default(), name: "Concierge".to_owned() }
}

fn register(name: &str) -> AppCommand {
    AppCommand::Register { id: AppId::default(), account_id: AccountId::default(), name: name.to_owned() }
}

fn key(number: usize) -> KeyId {
    format!("00000000-0000-0000-0000-{number:012x}").parse().unwrap()
}

fn issue(number: usize, label: &str, expires_at: Option<DateTime<Utc>>) -> AppCommand {
    AppCommand::IssueKey { key_id: key(number), label: label.to_owned(), prefix: "pak_00000000".to_owned(), expires_at }
}

fn issued(number: usize, expires_at: Option<DateTime<Utc>>) -> AppEvent {
    let (label, prefix) = ("ci".to_owned(), "pak_00000000".to_owned());
    AppEvent::KeyIssued { key_id: key(number), label, prefix, expires_at, at: now() }
}

fn revoked(number: usize) -> AppEvent {
    AppEvent::KeyRevoked { key_id: key(number), at: now() }
}

#[test]
fn an_app_is_registered_once_and_gone_for_good() {
    given(vec![]).when(register("Concierge")).then_expect_events(vec![registered()]);
    given(vec![registered()]).when(register("Concierge")).then_expect_error(AppError::AlreadyExists);
    let error = AppError::Invalid(fields(&[("name", &["required"])]));
    given(vec![]).when(register(" ")).then_expect_error(error);

    given(vec![registered()]).when(AppCommand::Delete).then_expect_events(vec![AppEvent::Deleted]);
    let gone = || given(vec![registered(), issued(1, None), AppEvent::Deleted]);
    gone().when(register("Concierge")).then_expect_error(AppError::AlreadyExists);
    for command in [
        AppCommand::Delete,
        issue(2, "ci", None),
        AppCommand::RevokeKey { key_id: key(1) },
        AppCommand::RotateSecret { secret_id: key(3) },
    ] {
        gone().when(command.clone()).then_expect_error(AppError::NotFound);
        given(vec![]).when(command).then_expect_error(AppError::NotFound);
    }
}

#[test]
fn a_key_is_issued_for_a_time_and_revoked_once() {
    let hour = Some(in_minutes(60));
    given(vec![registered()]).when(issue(1, "ci", hour)).then_expect_events(vec![issued(1, hour)]);
    let past =
        AppError::Invalid(fields(&[("expirationTime", &["expirationTimeNotInFuture"]), ("label", &["required"])]));
    given(vec![registered()]).when(issue(1, "", Some(now()))).then_expect_error(past);

    let with_key = || vec![registered(), issued(1, None)];
    given(with_key()).when(AppCommand::RevokeKey { key_id: key(1) }).then_expect_events(vec![revoked(1)]);
    given([with_key(), vec![revoked(1)]].concat())
        .when(AppCommand::RevokeKey { key_id: key(1) })
        .then_expect_events(vec![]);
    given(with_key()).when(AppCommand::RevokeKey { key_id: key(2) }).then_expect_error(AppError::KeyNotFound);
}

#[test]
fn only_keys_in_force_count_against_the_limit() {
    let full: Vec<_> = std::iter::once(registered()).chain((0..KEYS_PER_APP_MAX).map(|n| issued(n, None))).collect();
    given(full.clone()).when(issue(99, "one more", None)).then_expect_error(AppError::TooManyKeys);
    let mut room = full.clone();
    room.push(revoked(3));
    let added = AppEvent::KeyIssued {
        key_id: key(99),
        label: "ci".to_owned(),
        prefix: "pak_00000000".to_owned(),
        expires_at: None,
        at: now(),
    };
    given(room).when(issue(99, "ci", None)).then_expect_events(vec![added.clone()]);
    let mut room = full;
    room[1] = issued(0, Some(in_minutes(-1)));
    given(room).when(issue(99, "ci", None)).then_expect_events(vec![added]);
}

#[test]
fn an_app_shows_a_bounded_number_of_ended_keys_and_all_that_are_in_force() {
    let mut app = App::default();
    app.apply(registered());
    app.apply(issued(0, None));
    for number in 1..=ENDED_KEYS_PER_APP_MAX + 5 {
        app.apply(issued(number, None));
        app.apply(revoked(number));
    }
    let keys = &app.existing().unwrap().keys;
    assert_eq!(keys.len(), ENDED_KEYS_PER_APP_MAX + 1);
    assert_eq!(keys[0].id, key(0), "the one in force");
    assert_eq!(keys[1].id, key(6), "the oldest are forgotten");
}

#[test]
fn an_app_runs_no_account_and_its_keys_begin_with_no_secret() {
    for permission in [
        Permission::EditAccount,
        Permission::ViewAccountSettings,
        Permission::EditUsers,
        Permission::ViewUsers,
        Permission::EditFeatures,
        Permission::EditSecuritySettings,
        Permission::DeleteAccount,
    ] {
        assert!(!AppState::PERMISSIONS.contains(permission), "{permission}");
    }
    assert_eq!(AppState::key_prefix("0191d1a4-6b1c-4f0e-9d2a-5f6e7a8b9c0d".parse().unwrap()), "pak_0191d1a4");
}
