//! Every aggregate there is, for what works on whichever is named: history, schemas, replay.

use cqrs_es::Aggregate;

use crate::{
    channels::Channel,
    identity::{Account, App, Claim, Contact, Team, User},
    posts::{Post, PostGroup, Workbench},
};

/// What is done with an aggregate once its type is known.
pub trait AggregateVisitor {
    type Output;

    fn visit<A: Aggregate + Clone + 'static>(self) -> Self::Output;
}

macro_rules! aggregates {
    ($($aggregate:ty),+ $(,)?) => {
        /// The names of their streams' types.
        pub const AGGREGATE_TYPES: &[&str] = &[$(<$aggregate as Aggregate>::TYPE),+];

        /// Visits the aggregate whose streams are of `aggregate_type`; `None` when there is none such.
        pub fn visit_aggregate<V: AggregateVisitor>(aggregate_type: &str, visitor: V) -> Option<V::Output> {
            $(if aggregate_type == <$aggregate as Aggregate>::TYPE {
                return Some(visitor.visit::<$aggregate>());
            })+
            None
        }
    };
}

aggregates!(Account, App, Channel, Claim, Contact, Post, PostGroup, Team, User, Workbench);

#[cfg(test)]
mod tests {
    use super::*;

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
}
