-- Mail on its way out. A row is the intent, the call's state and the outcome in one place; the content may hold links
-- that open an account, so it is sealed under the master key, and wiped some days after its end. A version that does
-- not know this table sends no mail and needs none.
CREATE TABLE mail_outbox (
    id           uuid        PRIMARY KEY,
    tenant_id    text        NOT NULL,
    kind         text        NOT NULL,
    recipient    text        NOT NULL,
    locale       text        NOT NULL,
    -- Which master key sealed the content, and the content; both are null once it was wiped.
    key_id       text,
    sealed       bytea,
    state        text        NOT NULL DEFAULT 'queued'
                             CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'unknown', 'kept')),
    -- Calls begun in all. An outcome names the call that it is of.
    attempts     int         NOT NULL DEFAULT 0,
    -- With so many calls begun and none taken, it has failed.
    attempts_max int         NOT NULL,
    message_id   text,
    last_error   text,
    created_at   timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    -- When the state last changed.
    changed_at   timestamptz NOT NULL,
    sent_at      timestamptz,
    CHECK ((key_id IS NULL) = (sealed IS NULL))
);
CREATE INDEX mail_outbox_due ON mail_outbox (due_at) WHERE state = 'queued';
CREATE INDEX mail_outbox_sending ON mail_outbox (changed_at) WHERE state = 'sending';
CREATE INDEX mail_outbox_sealed ON mail_outbox (changed_at) WHERE sealed IS NOT NULL;
CREATE INDEX mail_outbox_created ON mail_outbox (created_at, id);
CREATE INDEX mail_outbox_tenant ON mail_outbox (tenant_id, created_at);
