-- +goose Up

-- How an effect fares at the other side, once it is sent.
ALTER TABLE effect ADD COLUMN since {int} NOT NULL DEFAULT 0;     -- when it was first sent, under this id or under one that it follows
ALTER TABLE effect ADD COLUMN ask {int} NOT NULL DEFAULT 0;       -- when MESH is asked next whether it was collected; 0: not any more, or never
ALTER TABLE effect ADD COLUMN collected {int} NOT NULL DEFAULT 0; -- when the receiver was known to have it; 0: not known
ALTER TABLE effect ADD COLUMN alarmed {int} NOT NULL DEFAULT 0;   -- when somebody was told that it is not collected
ALTER TABLE effect ADD COLUMN round {int} NOT NULL DEFAULT 0;     -- how often it was undelivered before
CREATE INDEX effect_ask ON effect (ask) WHERE ask > 0;
CREATE INDEX effect_told ON effect (la, created) WHERE kind IN ('notification', 'empty-notification');

-- Whom a record that made no event is about, as far as it could be read: an authority is told which of its children are not protected.
CREATE TABLE refused (
    message  {text} NOT NULL,
    position {int} NOT NULL,
    la       {text} NOT NULL,
    nhs      {text} NOT NULL, -- empty: not readable
    local    {text} NOT NULL, -- the authority's own id for the child; empty: not readable
    PRIMARY KEY (message, position)
) {narrow};
CREATE INDEX refused_of ON refused (la);

-- +goose Down
DROP TABLE refused;
DROP INDEX effect_told;
DROP INDEX effect_ask;
ALTER TABLE effect DROP COLUMN round;
ALTER TABLE effect DROP COLUMN alarmed;
ALTER TABLE effect DROP COLUMN collected;
ALTER TABLE effect DROP COLUMN ask;
ALTER TABLE effect DROP COLUMN since;
