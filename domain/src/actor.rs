//! Who acts, and when: what every decision may know about the world around it.

use std::{convert::Infallible, fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{AppId, UserId};

/// Who caused an event. Written into every event's metadata as `user:<id>`, `app:<id>` or `system:<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person, known by an account's user id.
    User(UserId),
    /// An application of an account, by a credential of its own.
    App(AppId),
    /// A part of Palaver itself, such as `publisher` or `demo`.
    System(String),
}

impl Actor {
    pub fn system(name: &str) -> Self {
        Self::System(name.to_owned())
    }

    /// The person, when it is one.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::User(id) => Some(*id),
            Self::App(_) | Self::System(_) => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::App(id) => write!(f, "app:{id}"),
            Self::System(name) => write!(f, "system:{name}"),
        }
    }
}

impl FromStr for Actor {
    type Err = Infallible;

    /// Whatever is not a well-formed `user:<id>` or `app:<id>` is read as a system's name, so old metadata stays
    /// readable.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        if let Some(id) = text.strip_prefix("user:").and_then(|id| id.parse().ok()) {
            return Ok(Self::User(id));
        }
        if let Some(id) = text.strip_prefix("app:").and_then(|id| id.parse().ok()) {
            return Ok(Self::App(id));
        }
        Ok(Self::System(text.strip_prefix("system:").unwrap_or(text).to_owned()))
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(actor) => Ok(actor),
            Err(never) => match never {},
        }
    }
}

/// What a decision may know besides the aggregate and the command. It is the `Services` of every aggregate.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The moment of the decision, in UTC, to the microsecond.
    pub now: DateTime<Utc>,
    pub actor: Actor,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_actor_reads_back_as_written() {
        for (actor, text) in [
            (Actor::User(UserId::from_bytes([1; 12])), "user:010101010101010101010101"),
            (Actor::App(AppId::default()), "app:00000000-0000-0000-0000-000000000000"),
            (Actor::system("publisher"), "system:publisher"),
        ] {
            assert_eq!(actor.to_string(), text);
            assert_eq!(text.parse(), Ok(actor));
        }
        assert_eq!("app:me".parse(), Ok(Actor::system("app:me")));
    }
}
