-- +goose Up

-- Large bodies and large translations, in pieces: what is written before the transaction that needs it, and read a piece at a time. Pieces
-- that no body names are of work that was given up, and go after a day.
CREATE TABLE part (
    spool   {text} NOT NULL,
    number  {int} NOT NULL,  -- from 1
    created {int} NOT NULL,
    body    {bytes} NOT NULL,
    PRIMARY KEY (spool, number)
);

-- The spool that holds the body; empty: the body is here.
ALTER TABLE raw ADD COLUMN spool {text} NOT NULL DEFAULT '';
CREATE INDEX raw_spool ON raw (spool) WHERE spool <> '';

-- +goose Down
DROP INDEX raw_spool;
ALTER TABLE raw DROP COLUMN spool;
DROP TABLE part;
