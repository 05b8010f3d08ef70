//! Stock postgres-es: its repository writes new streams into its own table, in a database of its own.

use std::time::Duration;

use cqrs_es::persist::{PersistedEventRepository, SerializedEvent};
use palaver_domain::posts::Post;
use palaver_eventstore::ids::SystemIds;
use postgres_es::PostgresEventRepository;
use sqlx::{
    ConnectOptions, Connection, Executor, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    Work, callers,
    figures::Measure,
    sample::{self, AGGREGATE_TYPE, EVENT_TYPE, EVENT_VERSION, Sample},
};

pub const NAME: &str = "postgres-es";

const DATABASE: &str = "stock_postgres_es";
/// As postgres-es publishes it.
const SCHEMA: &str = "CREATE TABLE events (
    aggregate_type text                         NOT NULL,
    aggregate_id   text                         NOT NULL,
    sequence       bigint CHECK (sequence >= 0) NOT NULL,
    event_type     text                         NOT NULL,
    event_version  text                         NOT NULL,
    payload        json                         NOT NULL,
    metadata       json                         NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence)
)";

pub struct Subject {
    pool: PgPool,
    payload: serde_json::Value,
    metadata: serde_json::Value,
}

impl Subject {
    pub async fn open(connect: &PgConnectOptions, sample: &Sample) -> Self {
        let mut connection = connect.connect().await.unwrap();
        connection.execute(format!("CREATE DATABASE {DATABASE}").as_str()).await.unwrap();
        connection.close().await.unwrap();
        let pool =
            PgPoolOptions::new().max_connections(16).connect_with(connect.clone().database(DATABASE)).await.unwrap();
        pool.execute(SCHEMA).await.unwrap();
        let json = |text: &str| serde_json::from_str(text).unwrap();
        Self { pool, payload: json(&sample.payload), metadata: json(&sample.metadata) }
    }

    pub async fn empty(&self) {
        self.pool.execute("TRUNCATE events").await.unwrap();
        self.pool.execute("CHECKPOINT").await.unwrap();
    }

    pub async fn measure(&self, work: Work, length: Duration) -> Measure {
        callers::measure(work.callers, length, || {
            let (pool, payload, metadata) = (self.pool.clone(), self.payload.clone(), self.metadata.clone());
            move || {
                let aggregate_id = sample::stream(&SystemIds).aggregate_id;
                let events: Vec<_> = (1..=work.events)
                    .map(|sequence| SerializedEvent {
                        aggregate_id: aggregate_id.clone(),
                        sequence,
                        aggregate_type: AGGREGATE_TYPE.to_owned(),
                        event_type: EVENT_TYPE.to_owned(),
                        event_version: EVENT_VERSION.to_owned(),
                        payload: payload.clone(),
                        metadata: metadata.clone(),
                    })
                    .collect();
                let repository = PostgresEventRepository::new(pool.clone());
                async move { repository.persist::<Post>(&events, None).await.unwrap() }
            }
        })
        .await
    }
}
