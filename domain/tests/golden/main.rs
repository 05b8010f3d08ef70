//! Every event type as it is written, version by version, and how it reads today.
//!
//! `<EventType>.v<version>.json` holds payloads, one for each sample of the modules below, in the same order. A file is
//! written once and stays for ever, for the log it stands for stays too. What an old version can not say reads as
//! something else than the sample; `<EventType>.v<version>.expected.json` then holds today's payloads of it.
//!
//! A new event or version: add its samples to the module of its context, then let `GOLDEN=write cargo test
//! -p palaver-domain --test golden` write the files that are missing. It never changes one that exists.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    fs,
    path::PathBuf,
};

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use palaver_domain::{newest_version, upcast};
use serde_json::Value;

/// One event type, and how its payloads read.
struct Written {
    version: String,
    /// Today's payload of each sample.
    payloads: Vec<Value>,
    /// Reads a payload as today's event and writes it again.
    rewrite: fn(Value) -> Result<Value, serde_json::Error>,
}

type Types = BTreeMap<String, Written>;

/// Every variant with its samples. The match has no wildcard: a variant that is missing here does not compile.
macro_rules! samples {
    ($types:expr, $event:ident { $($variant:ident => [$($sample:expr),+ $(,)?]),+ $(,)? }) => {
        #[deny(unreachable_patterns)]
        fn variant(event: &$event) -> &'static str {
            match event { $($event::$variant { .. } => stringify!($variant)),+ }
        }
        $(
            for sample in [$($sample),+] {
                assert_eq!(variant(&sample), stringify!($variant), "a sample of another variant");
                crate::record($types, &sample);
            }
        )+
    };
}

// Below the macro, which is theirs, too.
mod accounts;
mod audit;
mod channels;
mod identity;
mod posts;

/// Adds the samples of one aggregate.
type Fill = fn(&mut Types);

/// Each aggregate's samples.
const SAMPLES: &[(&str, Fill)] = &[
    ("post", posts::posts),
    ("post_group", posts::groups),
    ("workbench", posts::workbenches),
    ("channel", channels::channels),
    ("account", accounts::accounts),
    ("claim", identity::claims),
    ("user", identity::users),
    ("team", identity::teams),
    ("contact", identity::contacts),
    ("app", identity::apps),
    ("audit_access", audit::accesses),
];

fn record<E: DomainEvent + Debug + PartialEq>(types: &mut Types, event: &E) {
    let payload = serde_json::to_value(event).unwrap();
    let text = serde_json::to_string(event).unwrap();
    assert_eq!(&serde_json::from_str::<E>(&text).unwrap(), event, "reads back as written");
    let written = types.entry(event.event_type()).or_insert_with(|| Written {
        version: event.event_version(),
        payloads: Vec::new(),
        rewrite: |payload| serde_json::to_value(serde_json::from_value::<E>(payload)?),
    });
    assert_eq!(written.version, event.event_version());
    written.payloads.push(payload);
}

fn id<T: std::str::FromStr<Err: Debug>>(last: u8) -> T {
    format!("64b0c0ffee0000000000{last:04x}").parse().unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn types() -> Types {
    let mut types = Types::new();
    for (_, fill) in SAMPLES {
        fill(&mut types);
    }
    types
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// One payload a line, so that a change of a file shows which sample it is.
fn as_text(payloads: &[Value]) -> String {
    let lines: Vec<String> = payloads.iter().map(Value::to_string).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

fn read(name: &str) -> Option<Vec<Value>> {
    let text = fs::read_to_string(folder().join(name)).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}")))
}

#[test]
fn every_event_type_is_written_as_its_golden_file_says() {
    let write = std::env::var("GOLDEN").is_ok_and(|what| what == "write");
    for (event_type, written) in types() {
        let name = format!("{event_type}.v{}.json", written.version);
        assert_eq!(written.version, newest_version(&event_type).to_string(), "{event_type}: version and upcasters");
        let Some(golden) = read(&name) else {
            assert!(write, "{name} is missing: see the head of this file");
            fs::write(folder().join(&name), as_text(&written.payloads)).unwrap();
            continue;
        };
        assert_eq!(written.payloads, golden, "{name}: the shape changed; that needs a new version and an upcaster");
    }
}

#[test]
fn every_payload_ever_written_reads_as_today() {
    let types = types();
    let mut versions_seen = BTreeSet::new();
    for file in fs::read_dir(folder()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".expected.json") || name.ends_with(".rs") {
            continue;
        }
        let (event_type, version) = name
            .strip_suffix(".json")
            .and_then(|name| name.rsplit_once(".v"))
            .unwrap_or_else(|| panic!("{name} is not named <EventType>.v<version>.json"));
        let written = types.get(event_type).unwrap_or_else(|| panic!("{name}: no aggregate has this event type"));
        let expected = read(&format!("{event_type}.v{version}.expected.json"));
        let expected = expected.as_ref().unwrap_or(&written.payloads);
        let golden = read(&name).unwrap();
        assert_eq!(golden.len(), expected.len(), "{name}: one payload a sample");
        for (payload, expected) in golden.into_iter().zip(expected) {
            let today = upcast(event_type, version, payload).unwrap_or_else(|error| panic!("{name}: {error}"));
            let rewritten = (written.rewrite)(today).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(&rewritten, expected, "{name}");
        }
        versions_seen.insert((event_type.to_owned(), version.to_owned()));
    }
    // No version is forgotten: from the first to today's, each has a file.
    for event_type in types.keys() {
        for version in palaver_domain::FIRST_VERSION..=newest_version(event_type) {
            let seen = versions_seen.contains(&(event_type.clone(), version.to_string()));
            assert!(seen || skipped(event_type, version), "{event_type}.v{version}.json is missing");
        }
    }
}

/// Whether nothing was ever written in this version: no upcaster starts from it, and it is not today's.
fn skipped(event_type: &str, version: u32) -> bool {
    let starts =
        palaver_domain::UPCASTERS.iter().any(|row| row.event_type == event_type && row.from_version == version);
    !starts && version != newest_version(event_type)
}

#[test]
fn no_two_aggregates_share_an_event_type() {
    // A payload is looked up by its event type alone, so a shared one would be read as the wrong event.
    let mut all = BTreeMap::new();
    for (aggregate, fill) in SAMPLES {
        let mut types = Types::new();
        fill(&mut types);
        for event_type in types.into_keys() {
            assert_eq!(all.insert(event_type.clone(), aggregate), None, "{event_type}");
        }
    }
}
