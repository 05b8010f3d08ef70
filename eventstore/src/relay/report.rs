//! What an operator wants to know of the relay: asked of the database and of NATS, from any process.

use async_nats::jetstream::{
    consumer,
    stream::{Info, Stream},
};
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use sqlx::PgPool;

use super::{
    REPORTED_CONSUMERS_MAX, Relay, RelayError, Standstill,
    checkpoint::{self, Checkpoint},
    connection, lease,
    message::mark,
};
use crate::Position;

/// Everything at once. What NATS did not tell is absent, and `unreachable` says why.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamsReport {
    /// Hosts and ports, without what is secret in an address.
    pub servers: Vec<String>,
    pub unreachable: Option<String>,
    pub stream: String,
    /// The connection that holds the lease; `None` when nobody relays.
    pub leader: Option<Leader>,
    /// Every event up to here is known to be in the stream; `None` when nothing was ever relayed.
    pub position: Option<Position>,
    pub checkpoint_at: Option<DateTime<Utc>>,
    pub head: Position,
    pub lag_events: i64,
    /// Why the relay stands still, if it does.
    pub standstill: Option<Standstill>,
    pub state: Option<StreamReport>,
    pub consumers: Vec<ConsumerReport>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Leader {
    /// The process of PostgreSQL that serves it.
    pub pid: i32,
    /// Where it connects from; `None` over a local socket.
    pub address: Option<String>,
    pub since: Option<DateTime<Utc>>,
}

/// The stream as JetStream tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamReport {
    pub created: DateTime<Utc>,
    pub subjects: Vec<String>,
    pub replicas_wanted: usize,
    /// 0 is for good.
    pub max_age_seconds: u64,
    /// -1 is all.
    pub max_bytes: i64,
    pub duplicate_window_seconds: u64,
    pub messages: u64,
    pub bytes: u64,
    pub first_sequence: u64,
    pub last_sequence: u64,
    /// The position of the event that the stream ends with.
    pub last_position: Option<Position>,
    /// The server that leads the stream, in a cluster.
    pub leader: Option<String>,
    pub replicas: Vec<ReplicaReport>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaReport {
    pub server: String,
    pub current: bool,
    pub offline: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerReport {
    pub name: String,
    pub durable: bool,
    /// Messages that were never delivered to it.
    pub pending: u64,
    /// Delivered, and not acknowledged yet.
    pub unacknowledged: usize,
    pub redelivered: usize,
}

impl Relay {
    /// # Errors
    /// When the database can not be asked. That NATS can not be asked is part of the report.
    pub async fn report(&self) -> Result<StreamsReport, RelayError> {
        let (pool, options) = (self.log.database().pool(), &self.options);
        let stream = options.stream.clone();
        let head = self.log.head().await?;
        let checkpoint = checkpoint::read(&mut *pool.acquire().await?, &stream).await?;
        let position = checkpoint.as_ref().map(|checkpoint| checkpoint.position);
        let (told, unreachable) = match self.ask().await {
            Ok(told) => (Some(told), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let (state, consumers) = told.unwrap_or_default();
        Ok(StreamsReport {
            servers: connection::shown(&options.servers),
            unreachable,
            leader: leader(pool, &stream).await?,
            position,
            checkpoint_at: checkpoint.map(|Checkpoint { updated_at, .. }| updated_at),
            head,
            lag_events: (head - position.unwrap_or(0)).max(0),
            standstill: checkpoint::standstill(pool, &stream).await?,
            state,
            consumers,
            stream,
        })
    }

    async fn ask(&self) -> Result<(Option<StreamReport>, Vec<ConsumerReport>), RelayError> {
        let connection = connection::connect(&self.options).await?;
        let stream = connection.jetstream.get_stream(&self.options.stream).await;
        let stream = stream.map_err(|error| RelayError::jetstream("tell of the stream", error))?;
        let consumers = stream.consumers().take(REPORTED_CONSUMERS_MAX).map_ok(consumer_report).try_collect().await;
        let consumers = consumers.map_err(|error| RelayError::jetstream("tell of consumers", error))?;
        let last_position = last_position(&stream).await;
        Ok((Some(stream_report(stream.cached_info(), last_position)), consumers))
    }
}

async fn last_position(stream: &Stream<Info>) -> Option<Position> {
    let state = &stream.cached_info().state;
    // Whatever hinders this is said by the relay itself, which reads the same message before it begins.
    let message = stream.get_raw_message(Some(state.last_sequence).filter(|_| state.messages > 0)?).await.ok()?;
    mark(&message.headers).map(|(position, _)| position)
}

fn stream_report(info: &Info, last_position: Option<Position>) -> StreamReport {
    let (config, state, cluster) = (&info.config, &info.state, info.cluster.as_ref());
    let replicas = cluster.map(|cluster| cluster.replicas.as_slice()).unwrap_or_default();
    StreamReport {
        created: info.created,
        subjects: config.subjects.clone(),
        replicas_wanted: config.num_replicas,
        max_age_seconds: config.max_age.as_secs(),
        max_bytes: config.max_bytes,
        duplicate_window_seconds: config.duplicate_window.as_secs(),
        messages: state.messages,
        bytes: state.bytes,
        first_sequence: state.first_sequence,
        last_sequence: state.last_sequence,
        last_position,
        leader: cluster.and_then(|cluster| cluster.leader.clone()),
        replicas: replicas
            .iter()
            .map(|peer| ReplicaReport { server: peer.name.clone(), current: peer.current, offline: peer.offline })
            .collect(),
    }
}

fn consumer_report(info: consumer::Info) -> ConsumerReport {
    ConsumerReport {
        durable: info.config.durable_name.is_some(),
        name: info.name,
        pending: info.num_pending,
        unacknowledged: info.num_ack_pending,
        redelivered: info.num_redelivered,
    }
}

/// An advisory lock's key is kept in two halves.
async fn leader(pool: &PgPool, stream: &str) -> Result<Option<Leader>, sqlx::Error> {
    sqlx::query_as!(
        Leader,
        r#"SELECT l.pid AS "pid!", host(a.client_addr) AS address, a.backend_start AS since
           FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
           WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
             AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
             AND (l.classid::bigint << 32) | l.objid::bigint = hashtextextended($1, 0)
           LIMIT 1"#,
        lease(stream)
    )
    .fetch_optional(pool)
    .await
}
