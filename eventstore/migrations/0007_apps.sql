-- What opens the APIs to an application. The version before knows nothing of either table, and loses nothing by it.

-- One row for each application: whether any credential of it may open anything. It is closed before the application's
-- deletion is written, and never opened again, so nothing that is issued at the same moment outlives it.
CREATE TABLE app_access (
    app_id    uuid        PRIMARY KEY,
    tenant_id text        NOT NULL,
    closed_at timestamptz
);

-- Keys, secrets and tokens, each by the SHA-256 of 256 random bits.
CREATE TABLE app_credentials (
    credential_hash bytea       PRIMARY KEY,
    tenant_id       text        NOT NULL,
    app_id          uuid        NOT NULL REFERENCES app_access,
    -- A token is what a secret was exchanged for.
    kind            text        NOT NULL CHECK (kind IN ('api_key', 'app_secret', 'app_token')),
    -- Of the key or the secret; of the secret that a token was got with.
    key_id          uuid        NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz,
    revoked_at      timestamptz
);
CREATE INDEX app_credentials_app ON app_credentials (app_id, kind, created_at);
-- An application has one secret at a time.
CREATE UNIQUE INDEX app_credentials_secret ON app_credentials (app_id)
    WHERE kind = 'app_secret' AND revoked_at IS NULL;

-- What a session's next access token can be had for, once. The tokens of a session are a family: one that comes a second
-- time has been stolen, or was stolen from, and ends all of them.
CREATE TABLE refresh_tokens (
    token_hash   bytea       PRIMARY KEY,
    session_hash bytea       NOT NULL REFERENCES access_tokens ON DELETE CASCADE,
    tenant_id    text        NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_hash);
