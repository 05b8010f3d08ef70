CREATE TABLE channels (
    id            text        PRIMARY KEY,
    tenant_id     text        NOT NULL,
    network       text        NOT NULL,
    -- In lower case, by which channels are sorted and found.
    name_key      text        COLLATE "C" NOT NULL,
    search_key    text        NOT NULL,
    active        bool        NOT NULL,
    product_cp    bool        NOT NULL,
    product_inbox bool        NOT NULL,
    team_ids      text[]      NOT NULL,
    created_at    timestamptz NOT NULL,
    state         json        NOT NULL,
    doc           json        NOT NULL
);
CREATE INDEX channels_by_created ON channels (tenant_id, created_at, id);
CREATE INDEX channels_by_name ON channels (tenant_id, name_key, id);
