-- The log and what belongs to it. Migrations only ever add: the version before keeps running on the schema after.

-- A superset of the table that postgres-es reads and writes: same names, types and primary key, then our columns.
-- Indexed text compares byte by byte, which is quicker, and no new version of the system's locales spoils an index.
CREATE TABLE events (
    aggregate_type text COLLATE "C" NOT NULL,
    aggregate_id   text COLLATE "C" NOT NULL,
    sequence       bigint      NOT NULL CHECK (sequence >= 0),
    event_type     text COLLATE "C" NOT NULL,
    event_version  text        NOT NULL,
    payload        json        NOT NULL,
    metadata       json        NOT NULL,
    position       bigint      NOT NULL CHECK (position > 0),
    event_id       uuid        NOT NULL,
    tenant_id      text COLLATE "C" NOT NULL,
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence)
);
CREATE UNIQUE INDEX events_position ON events (position);
CREATE INDEX events_tenant ON events (tenant_id, position);
CREATE INDEX events_aggregate_type ON events (aggregate_type, position);
CREATE INDEX events_event_type ON events (event_type, position);

-- History is not changed. An operator who must (a repair, under supervision) disables the trigger by name.
CREATE FUNCTION events_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event log is append-only';
END $$;
CREATE TRIGGER events_are_append_only BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION events_are_append_only();
CREATE TRIGGER events_are_not_truncated BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION events_are_append_only();

-- One row. Whoever holds its lock is the only one who appends, which is what makes positions gapless.
CREATE TABLE log_head (
    only_row bool   PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL
);
INSERT INTO log_head (position) VALUES (0);

-- The state of a long stream at some sequence, so a cold load reads a bounded number of events.
-- Named apart from the table of postgres-es, whose snapshot handling is not used.
CREATE TABLE aggregate_snapshots (
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    sequence       bigint      NOT NULL,
    schema_version int         NOT NULL,
    payload        json        NOT NULL,
    taken_at       timestamptz NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id)
);

-- One row for each command that was carried out, written in the transaction of its events.
CREATE TABLE command_receipts (
    tenant_id   text        NOT NULL,
    command_id  text        NOT NULL,
    fingerprint text        NOT NULL,
    outcome     json        NOT NULL,
    position    bigint      NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, command_id)
);
CREATE INDEX command_receipts_recorded_at ON command_receipts (recorded_at);

-- Secrets, sealed under the master key; events name them by reference.
CREATE TABLE vault (
    tenant_id  text        NOT NULL,
    reference  uuid        NOT NULL,
    key_id     text        NOT NULL,
    sealed     bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, reference)
);

-- Appends a batch in one round trip. Called by the appender alone, in its implicit transaction.
--
-- An append is one caller's unit of work, named by its number in the batch; it touches one stream or several and
-- succeeds or fails as a whole. Every statement here sees what was committed before the head's lock was taken,
-- because a volatile function takes a new snapshot for each of its statements.
--
-- Returns one row for each append that was refused, and one with append = -1 that tells the position before the batch.
CREATE FUNCTION append_events(
    stream_append int[], stream_type text[], stream_id text[], stream_sequence bigint[],
    receipt_append int[], receipt_tenant text[], receipt_command text[], receipt_fingerprint text[],
    receipt_outcome text[],
    event_append int[], event_aggregate_type text[], event_aggregate_id text[], event_sequence bigint[],
    event_type_ text[], event_version_ text[], event_payload text[], event_metadata text[], event_id_ uuid[],
    event_tenant text[], now_ timestamptz
) RETURNS TABLE (append int, reason text, stream int, value bigint) LANGUAGE plpgsql AS $$
DECLARE
    count_all   bigint := coalesce(array_length(event_append, 1), 0);
    count_taken bigint;
    first_      bigint;
    refused     int[];
BEGIN
    UPDATE log_head SET position = position + count_all RETURNING position - count_all INTO first_;

    RETURN QUERY
        SELECT s.append, 'sequence', s.ord::int - 1, actual.sequence
        FROM unnest(stream_append, stream_type, stream_id, stream_sequence)
                 WITH ORDINALITY AS s (append, aggregate_type, aggregate_id, expected, ord)
        CROSS JOIN LATERAL (
            SELECT coalesce((
                SELECT e.sequence FROM events e
                WHERE e.aggregate_type = s.aggregate_type AND e.aggregate_id = s.aggregate_id
                ORDER BY e.sequence DESC LIMIT 1), 0) AS sequence) actual
        WHERE actual.sequence <> s.expected;
    IF FOUND THEN
        SELECT array_agg(DISTINCT s.append) INTO refused
        FROM unnest(stream_append, stream_type, stream_id, stream_sequence)
                 AS s (append, aggregate_type, aggregate_id, expected)
        WHERE s.expected <> coalesce((
            SELECT e.sequence FROM events e
            WHERE e.aggregate_type = s.aggregate_type AND e.aggregate_id = s.aggregate_id
            ORDER BY e.sequence DESC LIMIT 1), 0);
    END IF;

    IF array_length(receipt_append, 1) > 0 THEN
        RETURN QUERY
            SELECT r.append, 'receipt', 0, 0::bigint
            FROM unnest(receipt_append, receipt_tenant, receipt_command) AS r (append, tenant_id, command_id)
            JOIN command_receipts c USING (tenant_id, command_id);
        IF FOUND THEN
            SELECT array_agg(r.append) || refused INTO refused
            FROM unnest(receipt_append, receipt_tenant, receipt_command) AS r (append, tenant_id, command_id)
            JOIN command_receipts c USING (tenant_id, command_id);
        END IF;
    END IF;

    IF refused IS NULL THEN
        INSERT INTO events
        SELECT e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version, e.payload::json,
               e.metadata::json, first_ + e.ord, e.event_id, e.tenant_id, now_
        FROM unnest(event_aggregate_type, event_aggregate_id, event_sequence, event_type_, event_version_,
                    event_payload, event_metadata, event_id_, event_tenant)
                 WITH ORDINALITY AS e (aggregate_type, aggregate_id, sequence, event_type, event_version,
                                       payload, metadata, event_id, tenant_id, ord);
    ELSE
        INSERT INTO events
        SELECT e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version, e.payload::json,
               e.metadata::json, first_ + row_number() OVER (ORDER BY e.ord), e.event_id, e.tenant_id, now_
        FROM unnest(event_append, event_aggregate_type, event_aggregate_id, event_sequence, event_type_,
                    event_version_, event_payload, event_metadata, event_id_, event_tenant)
                 WITH ORDINALITY AS e (append, aggregate_type, aggregate_id, sequence, event_type, event_version,
                                       payload, metadata, event_id, tenant_id, ord)
        WHERE e.append <> ALL (refused);
        GET DIAGNOSTICS count_taken = ROW_COUNT;
        UPDATE log_head SET position = first_ + count_taken;
    END IF;

    IF array_length(receipt_append, 1) > 0 THEN
        INSERT INTO command_receipts (tenant_id, command_id, fingerprint, outcome, position, recorded_at)
        SELECT r.tenant_id, r.command_id, r.fingerprint, r.outcome::json, h.position, now_
        FROM unnest(receipt_append, receipt_tenant, receipt_command, receipt_fingerprint, receipt_outcome)
                 AS r (append, tenant_id, command_id, fingerprint, outcome), log_head h
        WHERE refused IS NULL OR r.append <> ALL (refused);
    END IF;

    append := -1; reason := 'before'; stream := 0; value := first_;
    RETURN NEXT;
END $$;
