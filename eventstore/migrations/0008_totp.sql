-- Secrets of a second factor that a user was shown and has not confirmed. The secrets are in the vault; those that are
-- never confirmed are deleted there.
CREATE TABLE totp_proposals (
    secret_ref uuid        PRIMARY KEY,
    tenant_id  text        NOT NULL,
    user_id    text        NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX totp_proposals_age ON totp_proposals (created_at);
