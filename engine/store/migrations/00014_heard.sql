-- +goose Up

-- In which hours a sender of accesses was heard: how often it asks is learnt from it. It holds nobody's data.
CREATE TABLE heard (
    source  {text} NOT NULL, -- of its accesses, such as fhir/NAME
    hour    {int} NOT NULL,  -- its beginning
    opening {int} NOT NULL,  -- the first access in it that the engine received
    closing {int} NOT NULL,  -- the last
    asked   {int} NOT NULL,  -- how many there were
    PRIMARY KEY (source, hour)
) {narrow};
CREATE INDEX heard_hour ON heard (hour);

-- Up to which event heard has been told.
CREATE TABLE heard_until (
    id  {int} PRIMARY KEY,
    seq {int} NOT NULL
);
INSERT INTO heard_until (id, seq) VALUES (1, 0);

-- When each of our mailboxes was last listed to its end.
CREATE TABLE polled (
    mailbox {text} PRIMARY KEY,
    at      {int} NOT NULL
);

-- The same nameless record sent again is known by a digest of its bytes. Where nobody can see whether it is mended, somebody says so.
ALTER TABLE refused ADD COLUMN mark {text} NOT NULL DEFAULT '';
CREATE TABLE answered (
    message  {text} NOT NULL,
    position {int} NOT NULL,
    at       {int} NOT NULL,
    note     {text} NOT NULL,
    PRIMARY KEY (message, position)
) {narrow};

-- An authority's rows of the register.
CREATE INDEX flag_of_la ON flag (la);

CREATE INDEX effect_collected ON effect (la, collected) WHERE collected > 0;

-- +goose Down
DROP INDEX effect_collected;
DROP INDEX flag_of_la;
DROP TABLE answered;
ALTER TABLE refused DROP COLUMN mark;
DROP TABLE polled;
DROP TABLE heard_until;
DROP TABLE heard;
