//! What each event makes of a channel's row.

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use palaver_domain::channels::{Channel, ChannelEvent, ChannelState};
use palaver_eventstore::RecordedEvent;
use serde_json::{Value, json};
use sqlx::{PgConnection, types::Json};

use crate::engine::{Change, ProjectionError, RowProjector, json_text};

/// The projection `channels`.
pub struct ChannelsProjector;

#[derive(Clone, Debug, PartialEq)]
pub struct ChannelRow {
    pub state: ChannelState,
    pub created: DateTime<Utc>,
}

/// Which parts of Palaver work with the channel.
struct Products {
    cp: bool,
    inbox: bool,
}

/// Posts can be planned for every channel; none delivers messages yet.
const fn products(_: &ChannelState) -> Products {
    Products { cp: true, inbox: false }
}

/// A channel as the API shows it. Source: seed 003, definitions `Channel` and `ChannelSummary`.
pub fn render(channel: &ChannelState) -> Value {
    let Products { cp, inbox } = products(channel);
    let mut doc = json!({
        "_id": channel.id,
        "name": channel.name,
        "uniqueName": channel.unique_name,
        "socialNetwork": channel.network,
        "products": { "cp": cp, "inbox": inbox },
    });
    if let (Some(doc), Some(url)) = (doc.as_object_mut(), &channel.image_url) {
        doc.insert("imageUrl".to_owned(), json!(url));
    }
    doc
}

impl RowProjector for ChannelsProjector {
    const NAME: &'static str = "channels";
    const VERSION: i32 = 2;
    const AGGREGATE: &'static [&'static str] = &[Channel::TYPE];
    const SCHEMA: &'static str = include_str!("schema.sql");
    const TABLES: &'static [&'static str] = &["channels"];

    type Event = ChannelEvent;
    type Row = ChannelRow;

    fn apply(
        row: &mut Option<ChannelRow>,
        event: ChannelEvent,
        recorded: &RecordedEvent,
    ) -> Result<(), ProjectionError> {
        let before = row.take();
        let created = before.as_ref().map_or(recorded.metadata.time, |row| row.created);
        let mut channel = Channel(before.map(|row| row.state));
        channel.apply(event);
        let state = channel.0.ok_or_else(|| ProjectionError::unexpected("the channel was never connected"))?;
        *row = Some(ChannelRow { state, created });
        Ok(())
    }

    async fn load(db: &mut PgConnection, keys: &[String]) -> Result<Vec<(String, ChannelRow)>, sqlx::Error> {
        let rows = sqlx::query!(
            r#"SELECT id, state AS "state: Json<ChannelState>", created_at FROM channels WHERE id = ANY($1)"#,
            keys
        );
        let rows = rows.fetch_all(db).await?.into_iter();
        Ok(rows.map(|row| (row.id, ChannelRow { state: row.state.0, created: row.created_at })).collect())
    }

    async fn write(db: &mut PgConnection, changes: &[Change<ChannelRow>]) -> Result<(), sqlx::Error> {
        let rows: Vec<&ChannelRow> = changes.iter().filter_map(|change| change.after.as_ref()).collect();
        let teams = |row: &ChannelRow| row.state.team_ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let search = |row: &ChannelRow| format!("{}\n{}", row.state.name, row.state.unique_name).to_lowercase();
        sqlx::query!(
            "INSERT INTO channels (id, tenant_id, network, name_key, search_key, active, product_cp, product_inbox,
                                   team_ids, created_at, state, doc)
             SELECT id, tenant_id, network, name_key, search_key, active, product_cp, product_inbox,
                    string_to_array(team_ids, ','), created_at, state::json, doc::json
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bool[], $7::bool[], $8::bool[],
                         $9::text[], $10::timestamptz[], $11::text[], $12::text[])
                  AS r (id, tenant_id, network, name_key, search_key, active, product_cp, product_inbox, team_ids,
                        created_at, state, doc)
             ON CONFLICT (id) DO UPDATE SET
                 tenant_id = excluded.tenant_id, network = excluded.network, name_key = excluded.name_key,
                 search_key = excluded.search_key, active = excluded.active, product_cp = excluded.product_cp,
                 product_inbox = excluded.product_inbox, team_ids = excluded.team_ids,
                 created_at = excluded.created_at, state = excluded.state, doc = excluded.doc",
            &rows.iter().map(|row| row.state.id.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.state.account_id.to_string()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.state.network.as_str().to_owned()).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.state.name.to_lowercase()).collect::<Vec<_>>(),
            &rows.iter().map(|row| search(row)).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.state.active).collect::<Vec<_>>(),
            &rows.iter().map(|row| products(&row.state).cp).collect::<Vec<_>>(),
            &rows.iter().map(|row| products(&row.state).inbox).collect::<Vec<_>>(),
            &rows.iter().map(|row| teams(row)).collect::<Vec<_>>(),
            &rows.iter().map(|row| row.created).collect::<Vec<_>>(),
            &rows.iter().map(|row| json_text(&row.state)).collect::<Result<Vec<_>, _>>()?,
            &rows.iter().map(|row| json_text(&render(&row.state))).collect::<Result<Vec<_>, _>>()?
        )
        .execute(db)
        .await?;
        Ok(())
    }
}
