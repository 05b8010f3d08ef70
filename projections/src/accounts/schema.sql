CREATE TABLE accounts (
    id              text        PRIMARY KEY,
    name            text        NOT NULL,
    -- From then on nobody but an operator works in it.
    expires_at      timestamptz,
    linked_accounts text[]      NOT NULL,
    custom_tags     text[]      NOT NULL,
    created_at      timestamptz NOT NULL,
    state           json        NOT NULL,
    doc             json        NOT NULL
);
CREATE INDEX accounts_by_created ON accounts (created_at, id);
