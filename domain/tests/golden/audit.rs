//! Samples of what happens when somebody looks at the past.

use palaver_domain::audit::{AuditAccessEvent, AuditView};

use crate::{Types, id};

pub fn accesses(types: &mut Types) {
    let recorded = |view, found| AuditAccessEvent::Recorded {
        id: id(0x51),
        account_id: id(0x11),
        aggregate_type: "post".to_owned(),
        aggregate_id: "64b0c0ffee00000000000001".to_owned(),
        view,
        found,
    };
    let differences = AuditView::Differences { from: "#3".to_owned(), to: "2025-03-01T12:00:00.123456Z".to_owned() };
    samples!(types, AuditAccessEvent {
        Recorded => [
            recorded(AuditView::Timeline { after: 0, limit: 50 }, true),
            recorded(AuditView::State { at: "42".to_owned() }, false),
            recorded(differences, true),
        ],
    });
}
