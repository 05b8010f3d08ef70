CREATE TABLE teams (
    id         text        PRIMARY KEY,
    tenant_id  text        NOT NULL,
    name       text        NOT NULL,
    admins     text[]      NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX teams_by_created ON teams (tenant_id, created_at, id);
