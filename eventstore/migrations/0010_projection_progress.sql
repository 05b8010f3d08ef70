-- What operators see of a projection from any process: how fast it moves, and how a rebuild of it goes. The version before
-- this one leaves these columns alone: what it moves shows no rate, and what it rebuilds no beginning.
ALTER TABLE projection_checkpoints
    -- Where the rate is measured from: a moment at most some seconds before the newest batch, and the position then.
    ADD COLUMN measured_from_at       timestamptz,
    ADD COLUMN measured_from_position bigint,
    -- Of the generation `next` alone: when the rebuild began, and what ended it before its end.
    ADD COLUMN began_at               timestamptz,
    ADD COLUMN error                  text;
