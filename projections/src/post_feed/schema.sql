-- Posts that have a feed, and how many items are in it.
CREATE TABLE post_feed_posts (
    post_id    text   PRIMARY KEY,
    tenant_id  text   NOT NULL,
    channel_id text   NOT NULL,
    n          bigint NOT NULL
);

-- The items, in the order of the log: `position`, and `place` among those of one event.
CREATE TABLE post_feed (
    post_id   text     NOT NULL,
    position  bigint   NOT NULL,
    place     smallint NOT NULL,
    id        text     NOT NULL,
    tenant_id text     NOT NULL,
    doc       json     NOT NULL,
    PRIMARY KEY (post_id, position, place)
);
