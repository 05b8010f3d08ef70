CREATE TABLE users (
    id                    text        PRIMARY KEY,
    tenant_id             text        NOT NULL,
    user_name             text        NOT NULL,
    -- By which a user is found, in whatever account and letter case.
    name_key              text        NOT NULL,
    email                 text,
    first_name            text        NOT NULL,
    last_name             text        NOT NULL,
    locale                text        NOT NULL,
    role                  text        NOT NULL,
    -- What was chosen for a user with the role CUSTOM; null for all others.
    permissions           text[],
    team_ids              text[]      NOT NULL,
    read_only_channel_ids text[]      NOT NULL,
    verified              bool        NOT NULL,
    totp                  bool        NOT NULL,
    has_mobile_device     bool        NOT NULL,
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL,
    state                 json        NOT NULL,
    doc                   json        NOT NULL
);
CREATE INDEX users_by_created ON users (tenant_id, created_at, id);
-- Not unique: names are claimed in the log, and names from before that may be double.
CREATE INDEX users_by_name ON users (name_key);
CREATE INDEX users_by_email ON users (lower(email)) WHERE email IS NOT NULL;
