//! Which posts wait for their time, and which publications are under way.

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use palaver_domain::{
    AccountId,
    posts::{Post, PostEvent},
};
use palaver_eventstore::RecordedEvent;
use sqlx::PgConnection;

use crate::engine::{Change, ProjectionError, RowProjector};

/// The projection `publish_schedule`.
pub struct PublishScheduleProjector;

/// A post that is scheduled or being published.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleRow {
    pub tenant: AccountId,
    pub due_at: DateTime<Utc>,
    pub publication: Option<Publication>,
}

/// The call to the network that is under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    pub started_at: DateTime<Utc>,
    pub key: String,
    pub outcome_unknown: bool,
}

impl ScheduleRow {
    const fn state(&self) -> &'static str {
        if self.publication.is_some() { "publishing" } else { "due" }
    }
}

impl RowProjector for PublishScheduleProjector {
    const NAME: &'static str = "publish_schedule";
    const VERSION: i32 = 1;
    const AGGREGATE: &'static [&'static str] = &[Post::TYPE];
    const SCHEMA: &'static str = include_str!("schema.sql");
    const TABLES: &'static [&'static str] = &["publish_schedule"];
    const NOTES: &'static [&'static str] = &["taken_until"];

    type Event = PostEvent;
    type Row = ScheduleRow;

    fn apply(row: &mut Option<ScheduleRow>, event: PostEvent, recorded: &RecordedEvent) -> Result<(), ProjectionError> {
        match event {
            PostEvent::Scheduled { publish_time } | PostEvent::Approved { publish_time } => {
                *row = Some(ScheduleRow { tenant: recorded.tenant_id, due_at: publish_time, publication: None });
            }
            PostEvent::PublishTimeSet { publish_time, .. } => match (row.as_mut(), publish_time) {
                (Some(due), Some(publish_time)) => due.due_at = publish_time,
                (Some(_), None) => *row = None,
                (None, _) => {}
            },
            PostEvent::PublishingStarted { key, .. } => {
                let Some(due) = row else {
                    return Err(ProjectionError::unexpected("publishing started on a post that was not scheduled"));
                };
                due.publication = Some(Publication { started_at: recorded.metadata.time, key, outcome_unknown: false });
            }
            PostEvent::PublishingResumed { .. } => {
                if let Some(publication) = row.as_mut().and_then(|due| due.publication.as_mut()) {
                    // Called again from now on, so it has the time of a call again.
                    publication.started_at = recorded.metadata.time;
                    publication.outcome_unknown = false;
                }
            }
            PostEvent::PublishingOutcomeUnknown { .. } => {
                if let Some(publication) = row.as_mut().and_then(|due| due.publication.as_mut()) {
                    publication.outcome_unknown = true;
                }
            }
            PostEvent::SavedAsDraft
            | PostEvent::Suggested { .. }
            | PostEvent::Rejected { .. }
            | PostEvent::Unscheduled
            | PostEvent::Published { .. }
            | PostEvent::PublishingFailed { .. }
            | PostEvent::Deleted => *row = None,
            PostEvent::Planned { .. }
            | PostEvent::ContentEdited { .. }
            | PostEvent::TagsSet { .. }
            | PostEvent::CategoriesSet { .. }
            | PostEvent::Assigned { .. }
            | PostEvent::StoryWorkaroundSet { .. }
            | PostEvent::AttentionCleared
            | PostEvent::Commented { .. } => {}
        }
        Ok(())
    }

    async fn load(db: &mut PgConnection, keys: &[String]) -> Result<Vec<(String, ScheduleRow)>, sqlx::Error> {
        let rows = sqlx::query!(
            "SELECT post_id, tenant_id, due_at, started_at, key, outcome_unknown FROM publish_schedule
             WHERE post_id = ANY($1)",
            keys
        );
        let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
            let publication = row.started_at.zip(row.key).map(|(started_at, key)| Publication {
                started_at,
                key,
                outcome_unknown: row.outcome_unknown,
            });
            let tenant = row.tenant_id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok((row.post_id, ScheduleRow { tenant, due_at: row.due_at, publication }))
        });
        rows.collect::<Result<_, sqlx::Error>>()
    }

    async fn write(db: &mut PgConnection, changes: &[Change<ScheduleRow>]) -> Result<(), sqlx::Error> {
        let gone: Vec<String> =
            changes.iter().filter(|change| change.after.is_none()).map(|change| change.key.clone()).collect();
        if !gone.is_empty() {
            sqlx::query!("DELETE FROM publish_schedule WHERE post_id = ANY($1)", &gone).execute(&mut *db).await?;
        }
        let rows: Vec<(&String, &ScheduleRow)> =
            changes.iter().filter_map(|change| Some((&change.key, change.after.as_ref()?))).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let publication = |row: &ScheduleRow| row.publication.clone();
        // What a worker took was an older state of the row: the new one is free to be taken.
        sqlx::query!(
            "INSERT INTO publish_schedule (post_id, tenant_id, due_at, state, started_at, key, outcome_unknown)
             SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::timestamptz[], $6::text[],
                                  $7::bool[])
             ON CONFLICT (post_id) DO UPDATE SET
                 due_at = excluded.due_at, state = excluded.state, started_at = excluded.started_at,
                 key = excluded.key, outcome_unknown = excluded.outcome_unknown, taken_until = NULL",
            &rows.iter().map(|(key, _)| (*key).clone()).collect::<Vec<_>>(),
            &rows.iter().map(|(_, row)| row.tenant.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|(_, row)| row.due_at).collect::<Vec<_>>(),
            &rows.iter().map(|(_, row)| row.state().to_owned()).collect::<Vec<_>>(),
            &rows.iter().map(|(_, row)| publication(row).map(|it| it.started_at)).collect::<Vec<_>>() as _,
            &rows.iter().map(|(_, row)| publication(row).map(|it| it.key)).collect::<Vec<_>>() as _,
            &rows.iter().map(|(_, row)| publication(row).is_some_and(|it| it.outcome_unknown)).collect::<Vec<_>>()
        )
        .execute(db)
        .await?;
        Ok(())
    }
}
