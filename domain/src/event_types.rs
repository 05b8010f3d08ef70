//! The types of events: one table for each aggregate, which says what its events are called in the log and in which
//! version they are written. What they look like is in [`crate::schemas`].

use cqrs_es::DomainEvent;
use schemars::JsonSchema;

/// A type of event, as it is written today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventType {
    /// Its name in the log, unique over all aggregates: `PostScheduled`.
    pub name: &'static str,
    /// Its variant, which the payload carries around the fields.
    pub variant: &'static str,
    pub version: u32,
}

/// The events of an aggregate, all of whose types are known. Implemented by [`event_types`].
pub trait EventTypes: DomainEvent + JsonSchema {
    /// In the order of the variants.
    const EVENT_TYPES: &'static [EventType];
}

/// Names the variants of an event: `Scheduled => "PostScheduled"`, and `version 2` behind it when it is not the first.
/// A variant without a row does not compile.
macro_rules! event_types {
    ($event:ident { $($variant:ident => $name:literal $(version $version:literal)?),+ $(,)? }) => {
        impl $crate::EventTypes for $event {
            const EVENT_TYPES: &'static [$crate::EventType] = &[$($crate::EventType {
                name: $name,
                variant: stringify!($variant),
                version: $crate::event_types::version!($($version)?),
            }),+];
        }

        impl cqrs_es::DomainEvent for $event {
            fn event_type(&self) -> String {
                match self { $(Self::$variant { .. } => $name),+ }.to_owned()
            }

            fn event_version(&self) -> String {
                match self { $(Self::$variant { .. } => $crate::event_types::version!($($version)?)),+ }.to_string()
            }
        }
    };
}

macro_rules! version {
    () => {
        $crate::FIRST_VERSION
    };
    ($version:literal) => {
        $version
    };
}

pub(crate) use event_types;
pub(crate) use version;
