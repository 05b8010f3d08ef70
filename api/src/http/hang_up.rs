//! The end of a connection, for answers that last: a client that takes nothing any more can be told nothing, either.

use tokio_util::sync::CancellationToken;

/// Closes the connection that a request came on, whatever is still to be written. Put into a request's extensions by the
/// server.
#[derive(Clone, Debug, Default)]
pub struct HangUp(pub CancellationToken);
