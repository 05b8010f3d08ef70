//! The workbench: the one group that an author is still composing. Its stream has the author's user id, so two
//! groups begun at the same moment meet here and one is refused.

use cqrs_es::{Aggregate, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use super::{PostError, WorkbenchCommand, WorkbenchEvent};
use crate::{Circumstances, PostGroupId};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Workbench(pub Option<PostGroupId>);

impl Aggregate for Workbench {
    const TYPE: &'static str = "workbench";
    type Command = WorkbenchCommand;
    type Event = WorkbenchEvent;
    type Error = PostError;
    type Services = Circumstances;

    async fn handle(
        &mut self,
        command: WorkbenchCommand,
        _: &Circumstances,
        sink: &EventSink<Self>,
    ) -> Result<(), PostError> {
        match command {
            WorkbenchCommand::Open { .. } if self.0.is_some() => return Err(PostError::WorkbenchTaken),
            WorkbenchCommand::Open { group_id } => sink.write(WorkbenchEvent::Opened { group_id }, self).await,
            WorkbenchCommand::Clear { group_id } => {
                if self.0 == Some(group_id) {
                    sink.write(WorkbenchEvent::Cleared { group_id }, self).await;
                }
            }
        }
        Ok(())
    }

    fn apply(&mut self, event: WorkbenchEvent) {
        self.0 = match event {
            WorkbenchEvent::Opened { group_id } => Some(group_id),
            WorkbenchEvent::Cleared { .. } => None,
        };
    }
}
