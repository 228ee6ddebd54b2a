-- +goose Up

-- Bodies are compressed where that makes them smaller. 'removed' says that retention has taken the body and left the digest.
ALTER TABLE raw ADD COLUMN encoding {text} NOT NULL DEFAULT '';
CREATE INDEX raw_created ON raw (created);
CREATE INDEX message_digest ON message (digest);
CREATE INDEX message_received ON message (received);

-- Who does a piece of work alone, and until when by the database's clock. fence grows with each new holder.
CREATE TABLE lease (
    name   {text} PRIMARY KEY,
    owner  {text} NOT NULL,
    until  {int} NOT NULL,
    fence  {int} NOT NULL
);

-- Every attempt at an event that did not end with its outcome, and what a person did about it.
CREATE TABLE attempt (
    seq     {serial},
    event   {bytes} NOT NULL,
    at      {int} NOT NULL,
    verdict {text} NOT NULL, -- retry, quarantine, released, dropped
    reason  {text} NOT NULL
);
CREATE INDEX attempt_of_event ON attempt (event, seq);

-- An event that is withdrawn counts for nothing: a newer mapping no longer makes it, or a person dropped it.
ALTER TABLE event ADD COLUMN withdrawn {int} NOT NULL DEFAULT 0;

-- What an event was before a replay with another mapping changed it.
CREATE TABLE superseded (
    event    {bytes} NOT NULL,
    revision {int} NOT NULL, -- from 1
    at       {int} NOT NULL,
    mapping  {text} NOT NULL, -- digest of the mapping that made it
    body     {bytes} NOT NULL,
    PRIMARY KEY (event, revision)
) {narrow};

-- +goose Down
DROP TABLE superseded;
ALTER TABLE event DROP COLUMN withdrawn;
DROP TABLE attempt;
DROP TABLE lease;
DROP INDEX message_received;
DROP INDEX message_digest;
DROP INDEX raw_created;
ALTER TABLE raw DROP COLUMN encoding;
