//! The port to the social networks: what Palaver asks of one, whatever it is.

use std::sync::Arc;

use futures::future::BoxFuture;
use palaver_domain::{
    AccountId, ChannelId,
    channels::{Connection, Network as NetworkName},
    posts::{Content, FailureReason, PostState},
};

/// A post on its way out.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The same for every try of one publication, and for no other.
    pub key: String,
    pub tenant: AccountId,
    pub channel: ChannelId,
    pub network: NetworkName,
    pub content: Content,
}

/// The network has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub item_id: Option<String>,
    pub url: Option<String>,
}

/// What the network says when asked for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    Accepted(Accepted),
    /// It never took anything under this key.
    Absent,
    /// It has no way of telling; a person must look.
    CannotTell,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The network looked at it and said no. Sending the same again would get the same answer.
    #[error("{message}")]
    Refused { reason: FailureReason, message: String },
    /// The network certainly did not take it, and may later.
    #[error("the network is not available: {0}")]
    Unavailable(String),
    /// It may have taken it.
    #[error("the network did not answer: {0}")]
    Unanswered(String),
}

/// A network that posts can be published on.
pub trait Network: Send + Sync {
    fn publish<'a>(&'a self, submission: &'a Submission) -> BoxFuture<'a, Result<Accepted, NetworkError>>;

    /// What became of an earlier submission.
    fn lookup<'a>(&'a self, submission: &'a Submission) -> BoxFuture<'a, Result<Lookup, NetworkError>>;
}

/// Every network there is, found by how a channel is connected.
#[derive(Clone)]
pub struct Networks {
    pub sandbox: Arc<dyn Network>,
}

impl Networks {
    /// What a post is published through: the channel's network, unless people do it by hand.
    pub(super) fn for_post(&self, post: &PostState, connection: &Connection) -> Arc<dyn Network> {
        match connection {
            _ if post.content.kind.via_publisher_app() => Arc::new(ByHand),
            Connection::Sandbox => self.sandbox.clone(),
            Connection::Placeholder { .. } => Arc::new(ByHand),
        }
    }
}

/// The network of placeholders and workarounds: people publish by hand, so there is nothing to call and nothing to be given back.
struct ByHand;

impl Network for ByHand {
    fn publish<'a>(&'a self, _: &'a Submission) -> BoxFuture<'a, Result<Accepted, NetworkError>> {
        Box::pin(async { Ok(Accepted { item_id: None, url: None }) })
    }

    fn lookup<'a>(&'a self, _: &'a Submission) -> BoxFuture<'a, Result<Lookup, NetworkError>> {
        Box::pin(async { Ok(Lookup::Absent) })
    }
}
