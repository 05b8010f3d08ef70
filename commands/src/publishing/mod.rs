//! Publishing: the process manager that brings due posts to their networks, each once.
//!
//! First the intent is written, then the network is called under the intent's key, then the outcome is written. What
//! a crash leaves between the two is resolved by asking the network, never by sending again on a guess.

mod network;
mod publisher;
mod resolve;
mod sandbox;

pub use network::{Accepted, Lookup, Network, NetworkError, Networks, Submission};
pub use publisher::{DuePost, PublishSchedule, Publisher, PublisherSettings, UnresolvedPost};
pub use resolve::Resolution;
pub use sandbox::{Behaviour, SandboxItem, SandboxNetwork, UnknownBehaviour};
