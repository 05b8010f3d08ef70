//! The stream that the log is relayed to: made, kept as it is wanted, and asked how far it came.

use async_nats::jetstream::{
    self, ErrorCode,
    context::{GetStreamErrorKind, UpdateStreamError},
    message::StreamMessage,
    stream::{Config, DiscardPolicy, Info, LastRawMessageErrorKind, RetentionPolicy, StorageType, Stream},
};
use chrono::{DateTime, SubsecRound, Utc};

use super::{RelayError, RelayOptions, STRAYS_MAX, checkpoint::Checkpoint, message, message::Chain};
use crate::{EventLog, Position};

/// Where a run begins: behind the event at `position`, when the stream ends at `sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub position: Position,
    pub sequence: u64,
}

/// The stream, made or changed to what is wanted of it.
pub(super) async fn keep(jetstream: &jetstream::Context, options: &RelayOptions) -> Result<Stream<Info>, RelayError> {
    let mut stream = match jetstream.get_stream(&options.stream).await {
        Ok(stream) => stream,
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                let wanted = wanted(Config { name: options.stream.clone(), ..made() }, options);
                let made = jetstream.create_stream(wanted).await;
                let made = made.map_err(|error| RelayError::jetstream("make the stream", error))?;
                tracing::info!(stream = options.stream, "made the stream");
                return Ok(made);
            }
            _ => return Err(RelayError::jetstream("tell of the stream", error)),
        },
    };
    let found = stream.cached_info().config.clone();
    if found.storage != StorageType::File {
        tracing::warn!(stream = options.stream, "the stream is kept in memory and will not outlive its servers");
    }
    let wanted = wanted(found.clone(), options);
    if wanted == found {
        return Ok(stream);
    }
    match jetstream.update_stream(&wanted).await {
        Ok(_) => tracing::info!(stream = options.stream, "changed the stream to what the settings say"),
        Err(error) => say_unchanged(options, &error),
    }
    stream.info().await.map_err(|error| RelayError::jetstream("tell of the stream", error))?;
    Ok(stream)
}

/// A stream that is not quite as it was wanted is better than none.
fn say_unchanged(options: &RelayOptions, error: &UpdateStreamError) {
    tracing::warn!(stream = options.stream, %error, "the stream can not be changed to what the settings say; used as it is");
}

/// What a new stream is, besides what the settings say.
fn made() -> Config {
    Config {
        description: Some("Every event of Palaver's log, in order".to_owned()),
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        allow_direct: true,
        ..Config::default()
    }
}

/// The configuration with what the settings say of it. The rest is left to whoever runs NATS.
fn wanted(config: Config, options: &RelayOptions) -> Config {
    let max_age = options.max_age.unwrap_or_default();
    // JetStream takes no window that is longer than what it keeps.
    let duplicate_window =
        if max_age.is_zero() { options.duplicate_window } else { options.duplicate_window.min(max_age) };
    Config {
        subjects: vec![format!("{}.>", message::SUBJECT_PREFIX)],
        num_replicas: options.replicas,
        max_age,
        max_bytes: options.max_bytes.unwrap_or(-1),
        duplicate_window,
        // How events are relayed to copies: see [`Chain::Batches`].
        allow_atomic_publish: config.allow_atomic_publish || options.replicas > 1,
        ..config
    }
}

/// Where a stream is replicated, JetStream compares ids only after a message was: a mismatch there stops the whole
/// stream. Atomic batches are judged before.
pub(super) fn chain(info: &Info) -> Result<Chain, RelayError> {
    let config = &info.config;
    match config.num_replicas {
        0 | 1 => Ok(Chain::Ids),
        // A server that is too old leaves the setting out, and would store the parts of a batch one by one.
        _ if config.allow_atomic_publish => Ok(Chain::Batches),
        _ => Err(RelayError::NoBatches { stream: config.name.clone() }),
    }
}

/// When the stream was made, as a checkpoint keeps it: to the microsecond.
pub(super) fn created(info: &Info) -> DateTime<Utc> {
    info.created.trunc_subsecs(6)
}

/// Where to go on. The stream itself knows best: what it ends with was relayed, and nothing behind that. The checkpoint is
/// asked only when the stream has forgotten what it held.
///
/// An empty stream begins with the log's first event. One that ends before the checkpoint (JetStream lost its end) goes
/// on from its own end. One that ends with an event that this log does not have belongs to another log, or to a later
/// state of this one, and is left alone.
pub(super) async fn place(
    stream: &Stream<Info>,
    checkpoint: Option<&Checkpoint>,
    log: &EventLog,
) -> Result<Place, RelayError> {
    let info = stream.cached_info();
    let (name, state) = (&info.config.name, &info.state);
    let last = state.last_sequence;
    if state.messages > 0 {
        let first = state.first_sequence.max(last.saturating_sub(STRAYS_MAX - 1));
        for sequence in (first..=last).rev() {
            let Some(message) = message_at(stream, sequence).await? else { continue };
            if let Some((position, event_id)) = message::mark(&message.headers) {
                let head = log.head().await?;
                if log.event_id(position).await? != Some(event_id) {
                    return Err(RelayError::NotThisLog { stream: name.clone(), position, head });
                }
                return Ok(Place { position, sequence: last });
            }
            tracing::warn!(stream = name, sequence, subject = %message.subject, "passed over a message of somebody else");
        }
        if last - first + 1 == STRAYS_MAX {
            return Err(RelayError::Strays { stream: name.clone(), passed: STRAYS_MAX });
        }
    }
    let forgotten = checkpoint.filter(|checkpoint| last > 0 && checkpoint.stream_created == created(info));
    let position = forgotten.map_or(0, |checkpoint| checkpoint.position);
    if position == 0 && last > 0 {
        tracing::warn!(stream = name, "the stream has forgotten what it held; relaying the log from its beginning");
    }
    Ok(Place { position, sequence: last })
}

/// Asked of the stream's leader, who knows what is newest; `None` when the message was deleted.
async fn message_at(stream: &Stream<Info>, sequence: u64) -> Result<Option<StreamMessage>, RelayError> {
    match stream.get_raw_message(sequence).await {
        Ok(message) => Ok(Some(message)),
        Err(error) => match error.kind() {
            LastRawMessageErrorKind::NoMessageFound => Ok(None),
            LastRawMessageErrorKind::JetStream(error) if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(None),
            _ => Err(RelayError::jetstream("read the end of the stream", error)),
        },
    }
}
