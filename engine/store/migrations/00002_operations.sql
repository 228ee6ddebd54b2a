-- +goose Up

-- What an operator watches, found without reading the whole record.
CREATE INDEX notice_told ON notice (effect) WHERE effect <> '';
CREATE INDEX effect_failed ON effect (kind) WHERE state = 'failed';
CREATE INDEX message_aside ON message (id) WHERE state = 'quarantined';

-- One row that is written to learn whether the record can be written.
CREATE TABLE pulse (
    id {int} PRIMARY KEY,
    at {int} NOT NULL
);

-- +goose Down
DROP TABLE pulse;
DROP INDEX message_aside;
DROP INDEX effect_failed;
DROP INDEX notice_told;
