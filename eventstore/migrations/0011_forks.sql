-- A fork holds the log of another database up to a position, to be looked at. In a fork this table has one row, and
-- nowhere else any. The version before does not know the table, and is kept from writing by the trigger that comes
-- with the row.
CREATE TABLE log_fork (
    only_row  bool        PRIMARY KEY DEFAULT true CHECK (only_row),
    -- What it is a fork of, for people.
    source    text        NOT NULL,
    until     bigint      NOT NULL,
    forked_at timestamptz NOT NULL
);

CREATE FUNCTION log_is_a_fork() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'this log is a fork, which takes no events' USING ERRCODE = 'read_only_sql_transaction';
END $$;
