-- What a caller presents, kept as hashes alone: a token by SHA-256 (it is random), a password by argon2id.
CREATE TABLE access_tokens (
    token_hash bytea       PRIMARY KEY,
    tenant_id  text        NOT NULL,
    user_id    text        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX access_tokens_user ON access_tokens (tenant_id, user_id);

CREATE TABLE passwords (
    tenant_id  text        NOT NULL,
    user_id    text        NOT NULL,
    hash       text        NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
