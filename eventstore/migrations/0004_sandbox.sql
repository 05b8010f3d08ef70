-- The built-in sandbox network. It stands for a machine that is not ours: it keeps what it accepted, and how each of
-- its channels was told to behave. Nothing of Palaver's own reads these tables but through the network's port.
CREATE SCHEMA sandbox;

CREATE TABLE sandbox.items (
    key         text        PRIMARY KEY,
    tenant_id   text        NOT NULL,
    channel_id  text        NOT NULL,
    network     text        NOT NULL,
    item_id     text        NOT NULL,
    url         text        NOT NULL,
    content     jsonb       NOT NULL,
    -- More than 1: somebody sent the same thing twice.
    submissions int         NOT NULL DEFAULT 1,
    accepted_at timestamptz NOT NULL
);
CREATE INDEX sandbox_items_channel ON sandbox.items (tenant_id, channel_id, accepted_at);

CREATE TABLE sandbox.behaviours (
    tenant_id  text NOT NULL,
    channel_id text NOT NULL,
    behaviour  text NOT NULL,
    delay_ms   int  NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, channel_id)
);
