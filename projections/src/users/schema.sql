CREATE TABLE users (
    id        text   PRIMARY KEY,
    tenant_id text   NOT NULL,
    user_name text   NOT NULL,
    -- In lower case, by which a user is found.
    name_key  text   NOT NULL,
    role      text   NOT NULL,
    team_ids  text[] NOT NULL
);
CREATE INDEX users_by_name ON users (tenant_id, name_key);
