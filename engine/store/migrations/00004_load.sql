-- +goose Up

-- An event's id is made from its message, position and kind (engine.NewEventID), so the table is looked up by those: rows of one message
-- lie together, where an index on the hash wrote a page for nearly every row of a load. What refers to an event names its row. The outbox
-- needs no ordering key beside the body that holds it.

CREATE TABLE superseded_4 (
    event    {int} NOT NULL, -- event.seq, as everywhere below
    revision {int} NOT NULL, -- from 1
    at       {int} NOT NULL,
    mapping  {text} NOT NULL, -- digest of the mapping that made it
    body     {bytes} NOT NULL,
    PRIMARY KEY (event, revision)
) {narrow};
INSERT INTO superseded_4 (event, revision, at, mapping, body)
    SELECT e.seq, s.revision, s.at, s.mapping, s.body FROM superseded s JOIN event e ON e.id = s.event;
DROP TABLE superseded;
ALTER TABLE superseded_4 RENAME TO superseded;

CREATE TABLE flag_4 (
    nhs     {text} NOT NULL,
    la      {text} NOT NULL,
    plan    {text} NOT NULL,
    version {text} NOT NULL, -- orders the events of one row; the greatest stands
    event   {int} NOT NULL,
    PRIMARY KEY (nhs, la, plan)
) {narrow};
INSERT INTO flag_4 (nhs, la, plan, version, event)
    SELECT f.nhs, f.la, f.plan, f.version, e.seq FROM flag f JOIN event e ON e.id = f.event ORDER BY f.nhs, f.la, f.plan;
DROP TABLE flag;
ALTER TABLE flag_4 RENAME TO flag;

CREATE TABLE access_4 (
    id        {text} PRIMARY KEY,
    nhs       {text} NOT NULL,
    at        {int} NOT NULL,
    scheduled {int} NOT NULL,
    message   {text} NOT NULL, -- that made its event, and the record in it: an access is written before its event
    position  {int} NOT NULL
);
INSERT INTO access_4 (id, nhs, at, scheduled, message, position)
    SELECT a.id, a.nhs, a.at, a.scheduled, e.message, e.position FROM access a JOIN event e ON e.id = a.event;
DROP TABLE access;
ALTER TABLE access_4 RENAME TO access;
CREATE INDEX access_history ON access (nhs, at DESC) WHERE scheduled = 0;

CREATE TABLE notice_4 (
    la      {text} NOT NULL,
    access  {text} NOT NULL,
    event   {int} NOT NULL, -- of the access
    flag    {int} NOT NULL, -- the flag event that makes the authority responsible
    created {int} NOT NULL,
    effect  {text} NOT NULL DEFAULT '',
    PRIMARY KEY (la, access)
) {narrow};
INSERT INTO notice_4 (la, access, event, flag, created, effect)
    SELECT n.la, n.access, a.seq, f.seq, n.created, n.effect FROM notice n JOIN event a ON a.id = n.event JOIN event f ON f.id = n.flag;
DROP TABLE notice;
ALTER TABLE notice_4 RENAME TO notice;
CREATE INDEX notice_open ON notice (la, created) WHERE effect = '';
CREATE INDEX notice_told ON notice (effect) WHERE effect <> '';

-- The events without an outcome. Events are never removed, so nothing has to watch that their rows are there.
CREATE TABLE outbox_4 (
    seq       {int} PRIMARY KEY,
    kind      {text} NOT NULL,
    state     {int} NOT NULL,     -- 0 to publish, 1 on the stream, 2 in quarantine
    due       {int} NOT NULL,     -- not to be published before
    published {int} NOT NULL DEFAULT 0,
    attempts  {int} NOT NULL DEFAULT 0,
    reason    {text} NOT NULL DEFAULT ''
);
INSERT INTO outbox_4 (seq, kind, state, due, published, attempts, reason)
    SELECT seq, kind, state, due, published, attempts, reason FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_4 RENAME TO outbox;
CREATE INDEX outbox_due ON outbox (kind, state, due, seq);
CREATE INDEX outbox_aside ON outbox (seq) WHERE state = 2;

-- SQLite cannot drop a constraint, PostgreSQL cannot rename an identity with its table: the one line or the other is for each.
{sqlite}CREATE TABLE event_4 (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL, position INTEGER NOT NULL, body BLOB NOT NULL, withdrawn INTEGER NOT NULL DEFAULT 0);
{sqlite}INSERT INTO event_4 (seq, id, kind, message, position, body, withdrawn) SELECT seq, id, kind, message, position, body, withdrawn FROM event ORDER BY seq;
{sqlite}DROP TABLE event;
{sqlite}ALTER TABLE event_4 RENAME TO event;
{postgres}ALTER TABLE event DROP CONSTRAINT event_id_key;
{postgres}DROP INDEX event_of_message;
CREATE UNIQUE INDEX event_origin ON event (message, position, kind);

-- How long a body is when it is unpacked; 0: written before this was kept.
ALTER TABLE raw ADD COLUMN size {int} NOT NULL DEFAULT 0;

-- A row of the outbox lives for seconds: its table is mostly what was deleted, and reading it means passing over that until it is swept.
{postgres}ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
