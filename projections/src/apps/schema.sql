CREATE TABLE apps (
    id         text        PRIMARY KEY,
    tenant_id  text        NOT NULL,
    created_at timestamptz NOT NULL,
    state      json        NOT NULL,
    doc        json        NOT NULL
);
CREATE INDEX apps_by_created ON apps (tenant_id, created_at, id);
