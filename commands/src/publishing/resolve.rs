//! What a person says of a publication when the network can not tell.

use futures::FutureExt;
use palaver_domain::{
    PostId,
    posts::{FailureReason, Post, PostCommand, PostError, PostState},
};
use palaver_eventstore::StreamId;

use crate::{CommandContext, CommandError, Commander, Outcome};

/// What somebody saw on the network.
#[derive(Clone, Debug)]
pub enum Resolution {
    Published {
        url: Option<String>,
    },
    /// It is not there. The post can be scheduled again.
    Failed,
}

impl Commander {
    /// Ends an open publication on a person's word.
    ///
    /// # Errors
    /// `NotFound` when there is no such post, `Conflict` when no publication of it is open or the open one is still
    /// under way.
    pub async fn resolve_publication(
        &self,
        id: PostId,
        resolution: Resolution,
    ) -> Result<Outcome<PostState>, CommandError> {
        let refuse = |error: PostError| CommandError::Refused(error.into());
        // An operator names a post alone; whose it is, its stream says.
        let loaded = self.log().load::<Post>(&StreamId::of::<Post>(id)).await?;
        let tenant = loaded.tenant.ok_or_else(|| refuse(PostError::PostNotFound))?;
        self.run(&CommandContext::system(tenant, "operator"), move |work| {
            let resolution = resolution.clone();
            async move {
                let post = work.get::<Post>(id).await?;
                let open = post.aggregate.existing().map_err(refuse)?.publication.as_ref();
                let open = open.ok_or_else(|| refuse(PostError::NotOpen))?;
                // While the network is being called, or asked, its answer counts.
                if !open.outcome_unknown {
                    return Err(refuse(PostError::UnderWay));
                }
                let call = open.call();
                let command = match resolution {
                    Resolution::Published { url } => {
                        PostCommand::RecordPublished { key: call.key, network_item_id: None, network_url: url }
                    }
                    Resolution::Failed => PostCommand::RecordFailure {
                        call: Some(call),
                        reason: FailureReason::NetworkError,
                        error: "an operator did not find the post on the network".to_owned(),
                    },
                };
                let post = work.handle::<Post>(id, command).await?;
                post.aggregate.existing().cloned().map_err(refuse)
            }
            .boxed()
        })
        .await
    }
}
