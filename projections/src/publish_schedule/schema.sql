-- What the publisher has to do: posts that become due, and publications whose outcome is not known yet. Whether it may
-- is decided by the post itself; this only says where to look.
CREATE TABLE publish_schedule (
    post_id         text        PRIMARY KEY,
    tenant_id       text        NOT NULL,
    due_at          timestamptz NOT NULL,
    state           text        NOT NULL CHECK (state IN ('due', 'publishing')),
    -- When and under which key the network was, or was about to be, called.
    started_at      timestamptz,
    key             text,
    outcome_unknown bool        NOT NULL,
    -- A worker has taken the row until then. Written by workers alone; lost in a rebuild, which does no harm.
    taken_until     timestamptz
);
CREATE INDEX publish_schedule_due ON publish_schedule (due_at, post_id) WHERE state = 'due' AND taken_until IS NULL;
CREATE INDEX publish_schedule_publishing ON publish_schedule (started_at, post_id) WHERE state = 'publishing';
CREATE INDEX publish_schedule_taken ON publish_schedule (taken_until) WHERE taken_until IS NOT NULL;
