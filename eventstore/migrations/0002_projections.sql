-- What the projection engine keeps. Read models live in a schema of their own, so that the next version of one can
-- be filled beside it, in `read_model_next`, and take over by moving its tables in one transaction.
CREATE SCHEMA read_model;
CREATE SCHEMA read_model_next;

-- How far each projection has come. The row of a generation is locked by the transaction that moves it, so an event
-- counts exactly once whoever works.
CREATE TABLE projection_checkpoints (
    projection text        NOT NULL,
    generation text        NOT NULL CHECK (generation IN ('live', 'next')),
    version    int         NOT NULL,
    position   bigint      NOT NULL,
    -- What this version built, so that the next one drops exactly that, whatever its own tables are called.
    tables     text[]      NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (projection, generation)
);

-- Streams that a projection could not follow: from `position` on, their events wait here for an operator.
CREATE TABLE projection_quarantine (
    projection     text        NOT NULL,
    generation     text        NOT NULL CHECK (generation IN ('live', 'next')),
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    position       bigint      NOT NULL,
    sequence       bigint      NOT NULL,
    event_type     text        NOT NULL,
    error          text        NOT NULL,
    attempts       int         NOT NULL DEFAULT 1,
    since          timestamptz NOT NULL,
    PRIMARY KEY (projection, generation, aggregate_type, aggregate_id)
);
