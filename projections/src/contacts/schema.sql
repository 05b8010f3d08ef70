CREATE TABLE contacts (
    id         text        PRIMARY KEY,
    tenant_id  text        NOT NULL,
    email      text        NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX contacts_by_created ON contacts (tenant_id, created_at, id);
