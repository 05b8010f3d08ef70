CREATE TABLE accounts (
    id              text        PRIMARY KEY,
    name            text        NOT NULL,
    -- From then on nobody but an operator works in it.
    expires_at      timestamptz,
    linked_accounts text[]      NOT NULL,
    custom_tags     text[]      NOT NULL,
    -- By which its users log in, if they do.
    keycloak_realm  text,
    created_at      timestamptz NOT NULL,
    state           json        NOT NULL,
    doc             json        NOT NULL
);
CREATE INDEX accounts_by_created ON accounts (created_at, id);
-- Not unique: realms are claimed in the log, and realms from before that may be double.
CREATE INDEX accounts_by_realm ON accounts (keycloak_realm) WHERE keycloak_realm IS NOT NULL;
