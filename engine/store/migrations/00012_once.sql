-- +goose Up

-- One-use tokens that were used, so that no engine takes one again. Digests alone: nothing of the token can be read from them.
CREATE TABLE one_use (
    key     {text} PRIMARY KEY,
    taking  {text} NOT NULL, -- which call took it: the same change done twice is one taking
    expires {int} NOT NULL   -- the token does not hold any more: it may be forgotten
) {narrow};
CREATE INDEX one_use_expires ON one_use (expires);

-- +goose Down
DROP TABLE one_use;
