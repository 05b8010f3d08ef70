//! Where a private nats-server listens and how clients get in.

use std::fmt;

/// Never printed with its password, but by [`NatsAddress::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct NatsAddress {
    port: u16,
    password: String,
}

impl NatsAddress {
    pub(super) const USER: &str = "palaver";

    pub(super) fn new(port: u16, password: &str) -> Self {
        Self { port, password: password.to_owned() }
    }

    /// Reads what [`NatsAddress::expose`] says.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("nats://")?.strip_prefix(Self::USER)?.strip_prefix(':')?;
        let (password, port) = rest.split_once("@127.0.0.1:")?;
        let is_secret = password.len() == 64 && password.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_secret.then_some(Self { port: port.parse().ok()?, password: password.to_owned() })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn password(&self) -> &str {
        &self.password
    }

    /// The whole, for clients: `nats://palaver:<password>@127.0.0.1:<port>`.
    pub fn expose(&self) -> String {
        format!("nats://{}:{}@127.0.0.1:{}", Self::USER, self.password, self.port)
    }
}

/// Without the password: `nats://127.0.0.1:<port>`.
impl fmt::Display for NatsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nats://127.0.0.1:{}", self.port)
    }
}

impl fmt::Debug for NatsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NatsAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written_and_shown_without_its_password() {
        let password = "5e5a".repeat(16);
        let address = NatsAddress::new(4711, &password);
        assert_eq!(NatsAddress::parse(&address.expose()), Some(address.clone()));
        for shown in [address.to_string(), format!("{address:?}")] {
            assert!(shown.contains("4711") && !shown.contains("5e5a"), "{shown}");
        }
        for text in ["", "nats://palaver:short@127.0.0.1:4711", "nats://127.0.0.1:4711", "nats://palaver:x@h:1"] {
            assert_eq!(NatsAddress::parse(text), None, "{text}");
        }
        assert_eq!(NatsAddress::parse(&format!("nats://palaver:{password}@127.0.0.1:70000")), None);
    }
}
