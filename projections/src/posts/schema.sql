-- The posts that exist. `state` is what events apply to, `doc` what the API shows. Both are `json`, not `jsonb`: they
-- are handed on as they are, and a text may hold a NUL, which jsonb refuses.
CREATE TABLE posts (
    id                text        PRIMARY KEY,
    tenant_id         text        NOT NULL,
    group_id          text        NOT NULL,
    channel_id        text        NOT NULL,
    network           text        NOT NULL,
    status            text        NOT NULL,
    type              text        NOT NULL,
    needs_attention   bool        NOT NULL,
    imported          bool        NOT NULL,
    promoted          bool        NOT NULL,
    via_publisher_app bool        NOT NULL,
    author            text        NOT NULL,
    -- Empty when nobody is assigned.
    assignee          text        NOT NULL,
    story_publisher   text,
    tags              text[]      NOT NULL,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    publish_at        timestamptz,
    -- The words of title and text, and the tenant as one more, so that a search never leaves the tenant.
    words             tsvector    NOT NULL,
    state             json        NOT NULL,
    doc               json        NOT NULL
);
CREATE INDEX posts_by_created ON posts (tenant_id, created_at DESC, id DESC);
CREATE INDEX posts_by_publish ON posts (tenant_id, publish_at DESC NULLS LAST, id DESC);
CREATE INDEX posts_by_status ON posts (tenant_id, status, created_at DESC, id DESC);
CREATE INDEX posts_by_channel ON posts (tenant_id, channel_id, created_at DESC, id DESC);
CREATE INDEX posts_by_assignee ON posts (tenant_id, assignee, created_at DESC, id DESC) WHERE assignee <> '';
CREATE INDEX posts_of_group ON posts (tenant_id, group_id);
CREATE INDEX posts_being_composed ON posts (tenant_id, author) WHERE status = 'preDraft';
CREATE INDEX posts_of_story_publisher ON posts (tenant_id, story_publisher) WHERE story_publisher IS NOT NULL;
CREATE INDEX posts_by_tag ON posts USING gin (tags);
CREATE INDEX posts_by_word ON posts USING gin (words) WITH (fastupdate = off);

-- How many posts there are, without those being composed, which only their authors see.
CREATE TABLE post_counters (
    tenant_id       text   NOT NULL,
    channel_id      text   NOT NULL,
    status          text   NOT NULL,
    needs_attention bool   NOT NULL,
    n               bigint NOT NULL,
    PRIMARY KEY (tenant_id, channel_id, status, needs_attention)
);

-- How many posts have their publish time in each quarter of an hour; again without those being composed.
CREATE TABLE post_calendar (
    tenant_id         text        NOT NULL,
    quarter           timestamptz NOT NULL,
    channel_id        text        NOT NULL,
    network           text        NOT NULL,
    status            text        NOT NULL,
    type              text        NOT NULL,
    needs_attention   bool        NOT NULL,
    via_publisher_app bool        NOT NULL,
    imported          bool        NOT NULL,
    assignee          text        NOT NULL,
    n                 bigint      NOT NULL,
    PRIMARY KEY (tenant_id, quarter, channel_id, network, status, type, needs_attention, via_publisher_app, imported,
                 assignee)
);
