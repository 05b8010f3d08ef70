//! Identifiers, one type for each kind of thing: twelve bytes, written as 24 lower-case hex digits; or a UUID, for what
//! belongs to an API that writes its ids so.

use std::{fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// The text was not 24 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 24 lower-case hex digits")]
pub struct InvalidId;

fn parse(text: &str) -> Result<[u8; 12], InvalidId> {
    let digits = text.as_bytes();
    if digits.len() != 24 {
        return Err(InvalidId);
    }
    let mut bytes = [0; 12];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return Err(InvalidId) };
        *byte = (nibble(*high)? << 4) | nibble(*low)?;
    }
    Ok(bytes)
}

fn nibble(digit: u8) -> Result<u8, InvalidId> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(InvalidId),
    }
}

fn object_id_text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[0-9a-f]{24}$" })
}

fn uuid_text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "uuid" })
}

/// What every kind of id has in common: it is its text, wherever it is shown.
macro_rules! written_as_text {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

macro_rules! object_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
        pub struct $name(#[schemars(schema_with = "object_id_text")] [u8; 12]);

        impl $name {
            pub const fn from_bytes(bytes: [u8; 12]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse(text).map(Self)
            }
        }

        written_as_text!($name);
    )+};
}

object_id! {
    /// A tenant: the account that owns everything else.
    AccountId,
    AuditAccessId,
    CategoryId,
    ChannelId,
    ContactId,
    FeedItemId,
    MediaId,
    PostGroupId,
    PostId,
    TagId,
    TeamId,
    UserId,
}

/// The text was not a UUID of 36 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is a UUID, such as 0191d1a4-6b1c-4f0e-9d2a-5f6e7a8b9c0d")]
pub struct InvalidUuid;

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
        pub struct $name(#[schemars(schema_with = "uuid_text")] Uuid);

        impl $name {
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.hyphenated(), f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidUuid;

            /// In its usual form alone, in whatever case.
            fn from_str(text: &str) -> Result<Self, InvalidUuid> {
                if text.len() != 36 {
                    return Err(InvalidUuid);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidUuid)
            }
        }

        written_as_text!($name);
    )+};
}

uuid_id! {
    /// An application of an account: who calls when no person does.
    AppId,
    /// A key, or the secret, of an application. Names it; it is not the key.
    KeyId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_written() {
        let id = PostId::from_bytes([0, 1, 2, 3, 0xab, 0xcd, 0xef, 7, 8, 9, 10, 255]);
        assert_eq!(id.to_string(), "00010203abcdef0708090aff");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(serde_json::from_value::<PostId>(serde_json::json!(id)).unwrap(), id);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "00010203abcdef0708090af",
            "00010203ABCDEF0708090AFF",
            "00010203abcdef0708090afg",
            "ä0010203abcdef0708090aff",
        ] {
            assert_eq!(text.parse::<PostId>(), Err(InvalidId), "{text:?}");
        }
    }

    #[test]
    fn a_uuid_reads_back_as_written_and_in_one_form_alone() {
        let text = "0191d1a4-6b1c-4f0e-9d2a-5f6e7a8b9c0d";
        let id: AppId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(text.to_uppercase().parse(), Ok(id));
        assert_eq!(serde_json::from_value::<AppId>(serde_json::json!(id)).unwrap(), id);
        for text in ["", "0191d1a46b1c4f0e9d2a5f6e7a8b9c0d", "{0191d1a4-6b1c-4f0e-9d2a-5f6e7a8b9c0d}", &text[1..]] {
            assert_eq!(text.parse::<AppId>(), Err(InvalidUuid), "{text:?}");
        }
    }
}
