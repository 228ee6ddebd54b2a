-- +goose Up

-- What arrived, once per content.
CREATE TABLE raw (
    digest  TEXT PRIMARY KEY, -- SHA-256, hexadecimal
    body    BLOB NOT NULL,
    created INTEGER NOT NULL  -- microseconds since 1970, as every time here
);

-- Each arrival of a raw message. open counts its events that have no outcome yet.
CREATE TABLE message (
    id        TEXT PRIMARY KEY,
    source    TEXT NOT NULL,
    upstream  TEXT NOT NULL,
    sender    TEXT NOT NULL,
    workflow  TEXT NOT NULL,
    local_id  TEXT NOT NULL,
    file_name TEXT NOT NULL,
    digest    TEXT NOT NULL REFERENCES raw (digest),
    received  INTEGER NOT NULL,
    state     TEXT NOT NULL,
    mapping   TEXT NOT NULL DEFAULT '',
    records   INTEGER NOT NULL DEFAULT 0,
    accepted  INTEGER NOT NULL DEFAULT 0,
    open      INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX message_of_source ON message (source, received);

-- Mapping folders by digest, so that any event can be derived again.
CREATE TABLE mapping (
    digest   TEXT PRIMARY KEY,
    supplier TEXT NOT NULL,
    archive  BLOB NOT NULL,
    created  INTEGER NOT NULL
);

-- Every event, written once and never changed.
CREATE TABLE event (
    seq       INTEGER PRIMARY KEY,
    id        BLOB NOT NULL UNIQUE, -- SHA-256
    kind      TEXT NOT NULL,
    message   TEXT NOT NULL,
    position  INTEGER NOT NULL,
    body      BLOB NOT NULL         -- CloudEvents 1.0 JSON
);
CREATE INDEX event_of_message ON event (message, position);

-- The events without an outcome. A row leaves when its event has one, so the table stays as small as the backlog.
CREATE TABLE outbox (
    seq       INTEGER PRIMARY KEY REFERENCES event (seq),
    kind      TEXT NOT NULL,
    key       TEXT NOT NULL,        -- ordering key
    state     INTEGER NOT NULL,     -- 0 to publish, 1 on the stream, 2 in quarantine
    due       INTEGER NOT NULL,     -- not to be published before
    published INTEGER NOT NULL DEFAULT 0,
    attempts  INTEGER NOT NULL DEFAULT 0,
    reason    TEXT NOT NULL DEFAULT ''
);
CREATE INDEX outbox_due ON outbox (kind, state, due, seq);

-- Why a record of a message made no event, or made one with a field left empty.
CREATE TABLE fault (
    message   TEXT NOT NULL,
    position  INTEGER NOT NULL, -- 0: the whole message
    number    INTEGER NOT NULL, -- of the faults at that position, from 0
    outcome   TEXT NOT NULL,    -- rejected, parked, accepted
    rule      TEXT NOT NULL,
    kind      INTEGER NOT NULL,
    path      TEXT NOT NULL,
    line      INTEGER NOT NULL,
    col       INTEGER NOT NULL,
    start     INTEGER NOT NULL,
    finish    INTEGER NOT NULL,
    text      TEXT NOT NULL,
    PRIMARY KEY (message, position, number)
) WITHOUT ROWID;

-- The register: the newest event for each person, authority and plan type.
CREATE TABLE flag (
    nhs     TEXT NOT NULL,
    la      TEXT NOT NULL,
    plan    TEXT NOT NULL,
    version TEXT NOT NULL, -- orders the events of one row; the greatest stands
    event   BLOB NOT NULL,
    PRIMARY KEY (nhs, la, plan)
) WITHOUT ROWID;

-- Accesses, scheduled ones too: they are kept as the record of who looked, but never shown as history.
CREATE TABLE access (
    id        TEXT PRIMARY KEY,
    nhs       TEXT NOT NULL,
    at        INTEGER NOT NULL,
    scheduled INTEGER NOT NULL,
    event     BLOB NOT NULL
);
CREATE INDEX access_history ON access (nhs, at DESC) WHERE scheduled = 0;

-- Which authority has to be told of which access. effect names the notification that told it.
CREATE TABLE notice (
    la      TEXT NOT NULL,
    access  TEXT NOT NULL,
    event   BLOB NOT NULL, -- of the access
    flag    BLOB NOT NULL, -- the flag event that makes the authority responsible
    created INTEGER NOT NULL,
    effect  TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (la, access)
) WITHOUT ROWID;
CREATE INDEX notice_open ON notice (la, created) WHERE effect = '';

-- The effect ledger: what leaves the engine, written before it is attempted.
CREATE TABLE effect (
    id       TEXT PRIMARY KEY,
    kind     TEXT NOT NULL,
    la       TEXT NOT NULL,
    digest   TEXT NOT NULL REFERENCES raw (digest),
    state    TEXT NOT NULL, -- planned, attempted, sent, failed
    due      INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    created  INTEGER NOT NULL,
    sent     INTEGER NOT NULL DEFAULT 0,
    receipt  TEXT NOT NULL DEFAULT '', -- the MESH message id
    reason   TEXT NOT NULL DEFAULT ''
);
CREATE INDEX effect_open ON effect (due) WHERE state IN ('planned', 'attempted');
CREATE INDEX effect_receipt ON effect (receipt) WHERE receipt <> '';

-- +goose Down
DROP TABLE effect;
DROP TABLE notice;
DROP TABLE access;
DROP TABLE flag;
DROP TABLE fault;
DROP TABLE outbox;
DROP TABLE event;
DROP TABLE mapping;
DROP TABLE message;
DROP TABLE raw;
