-- +goose Up

-- What PDS made of a person as sent: so that a file which is tried again asks only what it does not know.
CREATE TABLE trace (
    key         {bytes} PRIMARY KEY, -- SHA-256 of number, names and birth date as sent
    nhs         {text} NOT NULL,
    outcome     {text} NOT NULL,
    step        {text} NOT NULL,
    replacement {text} NOT NULL DEFAULT '',
    at          {int} NOT NULL
) {narrow};
CREATE INDEX trace_nhs ON trace (nhs);

-- What a person has to decide about a child of an authority. While a superseded or inactive number is open, its uploads are suspended.
CREATE TABLE task (
    seq      {serial},
    kind     {text} NOT NULL, -- superseded, inactive, sensitive
    la       {text} NOT NULL,
    nhs      {text} NOT NULL,
    message  {text} NOT NULL,
    position {int} NOT NULL,
    opened   {int} NOT NULL,
    closed   {int} NOT NULL DEFAULT 0, -- 0: open
    note     {text} NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX task_open ON task (la, nhs, kind) WHERE closed = 0;

-- +goose Down
DROP TABLE task;
DROP TABLE trace;
