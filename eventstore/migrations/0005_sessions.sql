-- Logins. All of it is new or may be missing, so the version before goes on with what it knows.

-- What a token was opened for. One that was granted, by the command line or for a test, has no client.
ALTER TABLE access_tokens
    ADD COLUMN client    text,
    ADD COLUMN device_id text,
    -- The operator who acts as the user by this token.
    ADD COLUMN masked_by text;
CREATE INDEX access_tokens_expiry ON access_tokens (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX access_tokens_revocation ON access_tokens (revoked_at) WHERE revoked_at IS NOT NULL;

-- Tokens that do one thing once, kept by SHA-256 as all tokens are.
CREATE TABLE one_time_tokens (
    token_hash bytea       PRIMARY KEY,
    tenant_id  text        NOT NULL,
    user_id    text        NOT NULL,
    purpose    text        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX one_time_tokens_user ON one_time_tokens (tenant_id, user_id, purpose, created_at);
CREATE INDEX one_time_tokens_expiry ON one_time_tokens (expires_at);

-- Failed logins by the SHA-256 of the name that was given, whether anybody has it or not: what people type into a name's
-- field by mistake is not kept.
CREATE TABLE login_attempts (
    name_hash    bytea         PRIMARY KEY,
    -- The last few, and those whose outcome is still open.
    failures     timestamptz[] NOT NULL,
    locked_until timestamptz,
    updated_at   timestamptz   NOT NULL
);
CREATE INDEX login_attempts_age ON login_attempts (updated_at);

-- The last time step of which a user's code was taken; neither it nor an earlier one is taken again.
CREATE TABLE totp_steps (
    tenant_id text   NOT NULL,
    user_id   text   NOT NULL,
    last_step bigint NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
