//! Every aggregate there is, for what works on whichever is named: history, schemas, replay.

use cqrs_es::Aggregate;

use crate::{
    EventType, EventTypes,
    audit::AuditAccess,
    channels::Channel,
    identity::{Account, App, Claim, Contact, Team, User},
    posts::{Post, PostGroup, Workbench},
};

/// What is done with an aggregate once its type is known.
pub trait AggregateVisitor {
    type Output;

    fn visit<A: Aggregate<Event: EventTypes> + Clone + 'static>(self) -> Self::Output;
}

macro_rules! aggregates {
    ($($aggregate:ty),+ $(,)?) => {
        /// The names of their streams' types.
        pub const AGGREGATE_TYPES: &[&str] = &[$(<$aggregate as Aggregate>::TYPE),+];

        /// The types of the events of each, in the same order.
        const EVENT_TYPES: &[(&str, &[EventType])] = &[$((
            <$aggregate as Aggregate>::TYPE,
            <<$aggregate as Aggregate>::Event as EventTypes>::EVENT_TYPES,
        )),+];

        /// Visits the aggregate whose streams are of `aggregate_type`; `None` when there is none such.
        pub fn visit_aggregate<V: AggregateVisitor>(aggregate_type: &str, visitor: V) -> Option<V::Output> {
            $(if aggregate_type == <$aggregate as Aggregate>::TYPE {
                return Some(visitor.visit::<$aggregate>());
            })+
            None
        }
    };
}

aggregates!(Account, App, AuditAccess, Channel, Claim, Contact, Post, PostGroup, Team, User, Workbench);

/// Every type of event, with the type of its aggregate.
pub fn event_types() -> impl Iterator<Item = (&'static str, &'static EventType)> + Clone {
    EVENT_TYPES.iter().flat_map(|(aggregate_type, events)| events.iter().map(move |event| (*aggregate_type, event)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::newest_version;

    struct TypeOf;

    impl AggregateVisitor for TypeOf {
        type Output = &'static str;

        fn visit<A: Aggregate + Clone + 'static>(self) -> &'static str {
            A::TYPE
        }
    }

    #[test]
    fn each_type_leads_to_its_aggregate_and_no_two_are_the_same() {
        for (at, name) in AGGREGATE_TYPES.iter().enumerate() {
            assert_eq!(visit_aggregate(name, TypeOf), Some(*name));
            assert!(!AGGREGATE_TYPES[..at].contains(name), "{name} twice");
        }
        assert_eq!(visit_aggregate("nothing", TypeOf), None);
    }

    #[test]
    fn event_types_have_one_aggregate_each_and_the_version_that_upcasters_lead_to() {
        let mut names = std::collections::BTreeMap::new();
        for (aggregate_type, event) in event_types() {
            assert_eq!(names.insert(event.name, aggregate_type), None, "{} is of two aggregates", event.name);
            assert_eq!(event.version, newest_version(event.name), "{}", event.name);
        }
        for aggregate_type in AGGREGATE_TYPES {
            assert!(names.values().any(|of| of == aggregate_type), "{aggregate_type} has no events");
        }
        assert_eq!(names.get("PostScheduled"), Some(&"post"));
    }
}
