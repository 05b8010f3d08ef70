use cqrs_es::{
    Aggregate, DomainEvent,
    test::{AggregateTestExecutor, TestFramework},
};
use palaver_domain::{
    AUDITED_NAME_CHARS_MAX, AccountId, AuditAccessId,
    audit::{AuditAccess, AuditAccessCommand, AuditAccessError, AuditAccessEvent, AuditView},
};

use super::{circumstances, fields};

fn given(events: Vec<AuditAccessEvent>) -> AggregateTestExecutor<AuditAccess> {
    TestFramework::with(circumstances()).given(events)
}

fn view() -> AuditView {
    AuditView::Differences { from: "#1".to_owned(), to: "2031-05-01T10:00:00Z".to_owned() }
}

fn record(aggregate_type: &str, aggregate_id: &str) -> AuditAccessCommand {
    AuditAccessCommand::Record {
        id: AuditAccessId::from_bytes([1; 12]),
        account_id: AccountId::from_bytes([2; 12]),
        aggregate_type: aggregate_type.to_owned(),
        aggregate_id: aggregate_id.to_owned(),
        view: view(),
        found: true,
    }
}

fn recorded() -> AuditAccessEvent {
    AuditAccessEvent::Recorded {
        id: AuditAccessId::from_bytes([1; 12]),
        account_id: AccountId::from_bytes([2; 12]),
        aggregate_type: "post".to_owned(),
        aggregate_id: "65f1c0ffee5eed0000000001".to_owned(),
        view: view(),
        found: true,
    }
}

#[test]
fn an_access_is_recorded_once_as_it_was_asked_for() {
    let command = || record("post", "65f1c0ffee5eed0000000001");
    given(vec![]).when(command()).then_expect_events(vec![recorded()]);
    given(vec![recorded()]).when(command()).then_expect_error(AuditAccessError::AlreadyExists);

    let mut access = AuditAccess::default();
    access.apply(recorded());
    let state = access.0.unwrap();
    assert_eq!((state.aggregate_type.as_str(), state.view, state.found), ("post", view(), true));
    assert_eq!(recorded().event_type(), "AuditAccessRecorded");
}

#[test]
fn what_was_looked_at_has_a_name_of_bounded_length() {
    let long = "a".repeat(AUDITED_NAME_CHARS_MAX + 1);
    let error = fields(&[("aggregateType", &["required"]), ("aggregateId", &["tooLong"])]);
    given(vec![]).when(record(" ", &long)).then_expect_error(AuditAccessError::Invalid(error));
    let error = fields(&[("aggregateType", &["tooLong"]), ("aggregateId", &["required"])]);
    given(vec![]).when(record(&long, "")).then_expect_error(AuditAccessError::Invalid(error));
}
