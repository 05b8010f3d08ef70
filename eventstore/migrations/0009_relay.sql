-- How far the log was relayed to a stream outside: one row for each stream. The version before knows nothing of it.
CREATE TABLE relay_checkpoints (
    stream          text        PRIMARY KEY,
    -- Every event up to here is in the stream.
    position        bigint      NOT NULL CHECK (position >= 0),
    -- Where in the stream the event at that position stands, and when the stream was made: another one of the same name
    -- is another stream.
    stream_sequence bigint      NOT NULL CHECK (stream_sequence >= 0),
    stream_created  timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
);

-- Why a relay stands still, for whoever asks from another process. Gone when it goes on.
CREATE TABLE relay_errors (
    stream   text        PRIMARY KEY,
    error    text        NOT NULL,
    since    timestamptz NOT NULL,
    attempts bigint      NOT NULL
);
