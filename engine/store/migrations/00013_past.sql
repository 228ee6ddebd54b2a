-- +goose Up

-- When flag events of a message began to count, and ceased to: one row a message and transaction. What was applied before this table was
-- there has no row, and is taken as applied when its message arrived.
CREATE TABLE counted (
    seq       {serial},
    message   {text} NOT NULL,
    at        {int} NOT NULL,
    counts    {int} NOT NULL,  -- 1: from now on; 0: no longer, a replay withdrew them
    positions {bytes} NOT NULL -- runs of records: gap to the last run, length; varints
);
CREATE INDEX counted_of ON counted (message);

-- Who asked what stood in the past, and why: no flag is read without a record.
CREATE TABLE inspection (
    seq    {serial},
    at     {int} NOT NULL,
    who    {text} NOT NULL,
    why    {text} NOT NULL,
    nhs    {text} NOT NULL,
    valid  {int} NOT NULL, -- the time that was asked about
    known  {int} NOT NULL  -- by what was known then
);

-- The unscheduled accesses of a child while an authority's plan stood, on the day that they count for.
CREATE TABLE visit (
    la     {text} NOT NULL,
    access {text} NOT NULL,
    plan   {text} NOT NULL,
    nhs    {text} NOT NULL,
    day    {text} NOT NULL, -- ISO 8601, of the configured zone
    PRIMARY KEY (la, access, plan)
) {narrow};
CREATE INDEX visit_of ON visit (nhs, la, plan, day);

-- The days on which a child had been seen across boundaries. Each has one event.
CREATE TABLE pattern (
    nhs     {text} NOT NULL,
    la      {text} NOT NULL,
    plan    {text} NOT NULL,
    day     {text} NOT NULL,
    since   {text} NOT NULL,
    message {text} NOT NULL, -- of its event
    PRIMARY KEY (nhs, la, plan, day)
) {narrow};

-- +goose Down
DROP TABLE pattern;
DROP TABLE visit;
DROP TABLE inspection;
DROP TABLE counted;
