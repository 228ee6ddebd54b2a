-- +goose Up

-- What arrived, once per content.
CREATE TABLE raw (
    digest  {text} PRIMARY KEY, -- SHA-256, hexadecimal
    body    {bytes} NOT NULL,
    created {int} NOT NULL  -- microseconds since 1970, as every time here
);

-- Each arrival of a raw message. open counts its events that have no outcome yet.
CREATE TABLE message (
    id        {text} PRIMARY KEY,
    source    {text} NOT NULL,
    upstream  {text} NOT NULL,
    sender    {text} NOT NULL,
    workflow  {text} NOT NULL,
    local_id  {text} NOT NULL,
    file_name {text} NOT NULL,
    digest    {text} NOT NULL REFERENCES raw (digest),
    received  {int} NOT NULL,
    state     {text} NOT NULL,
    mapping   {text} NOT NULL DEFAULT '',
    records   {int} NOT NULL DEFAULT 0,
    accepted  {int} NOT NULL DEFAULT 0,
    open      {int} NOT NULL DEFAULT 0
);
CREATE INDEX message_of_source ON message (source, received);

-- Mapping folders by digest, so that any event can be derived again.
CREATE TABLE mapping (
    digest   {text} PRIMARY KEY,
    supplier {text} NOT NULL,
    archive  {bytes} NOT NULL,
    created  {int} NOT NULL
);

-- Every event, written once and never changed.
CREATE TABLE event (
    seq       {serial},
    id        {bytes} NOT NULL UNIQUE, -- SHA-256
    kind      {text} NOT NULL,
    message   {text} NOT NULL,
    position  {int} NOT NULL,
    body      {bytes} NOT NULL         -- CloudEvents 1.0 JSON
);
CREATE INDEX event_of_message ON event (message, position);

-- The events without an outcome. A row leaves when its event has one, so the table stays as small as the backlog.
CREATE TABLE outbox (
    seq       {int} PRIMARY KEY REFERENCES event (seq),
    kind      {text} NOT NULL,
    key       {text} NOT NULL,        -- ordering key
    state     {int} NOT NULL,     -- 0 to publish, 1 on the stream, 2 in quarantine
    due       {int} NOT NULL,     -- not to be published before
    published {int} NOT NULL DEFAULT 0,
    attempts  {int} NOT NULL DEFAULT 0,
    reason    {text} NOT NULL DEFAULT ''
);
CREATE INDEX outbox_due ON outbox (kind, state, due, seq);

-- Why a record of a message made no event, or made one with a field left empty.
CREATE TABLE fault (
    message   {text} NOT NULL,
    position  {int} NOT NULL, -- 0: the whole message
    number    {int} NOT NULL, -- of the faults at that position, from 0
    outcome   {text} NOT NULL,    -- rejected, parked, accepted
    rule      {text} NOT NULL,
    kind      {int} NOT NULL,
    path      {text} NOT NULL,
    line      {int} NOT NULL,
    col       {int} NOT NULL,
    start     {int} NOT NULL,
    finish    {int} NOT NULL,
    text      {text} NOT NULL,
    PRIMARY KEY (message, position, number)
) {narrow};

-- The register: the newest event for each person, authority and plan type.
CREATE TABLE flag (
    nhs     {text} NOT NULL,
    la      {text} NOT NULL,
    plan    {text} NOT NULL,
    version {text} NOT NULL, -- orders the events of one row; the greatest stands
    event   {bytes} NOT NULL,
    PRIMARY KEY (nhs, la, plan)
) {narrow};

-- Accesses, scheduled ones too: they are kept as the record of who looked, but never shown as history.
CREATE TABLE access (
    id        {text} PRIMARY KEY,
    nhs       {text} NOT NULL,
    at        {int} NOT NULL,
    scheduled {int} NOT NULL,
    event     {bytes} NOT NULL
);
CREATE INDEX access_history ON access (nhs, at DESC) WHERE scheduled = 0;

-- Which authority has to be told of which access. effect names the notification that told it.
CREATE TABLE notice (
    la      {text} NOT NULL,
    access  {text} NOT NULL,
    event   {bytes} NOT NULL, -- of the access
    flag    {bytes} NOT NULL, -- the flag event that makes the authority responsible
    created {int} NOT NULL,
    effect  {text} NOT NULL DEFAULT '',
    PRIMARY KEY (la, access)
) {narrow};
CREATE INDEX notice_open ON notice (la, created) WHERE effect = '';

-- The effect ledger: what leaves the engine, written before it is attempted.
CREATE TABLE effect (
    id       {text} PRIMARY KEY,
    kind     {text} NOT NULL,
    la       {text} NOT NULL,
    digest   {text} NOT NULL REFERENCES raw (digest),
    state    {text} NOT NULL, -- planned, attempted, sent, failed
    due      {int} NOT NULL,
    attempts {int} NOT NULL DEFAULT 0,
    created  {int} NOT NULL,
    sent     {int} NOT NULL DEFAULT 0,
    receipt  {text} NOT NULL DEFAULT '', -- the MESH message id
    reason   {text} NOT NULL DEFAULT ''
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
