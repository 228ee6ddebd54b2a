-- +goose Up

-- Who of an authority's systems is told over HTTP. A subscription that is off stays, so that its numbers are never given again.
CREATE TABLE subscription (
    id        {text} PRIMARY KEY, -- UUID
    la        {text} NOT NULL,    -- ODS code
    client    {text} NOT NULL,    -- the receiver's name in the configuration
    endpoint  {text} NOT NULL,
    headers   {text} NOT NULL,    -- a secret of the receiver's: one header a line
    content   {text} NOT NULL,    -- id-only, full-resource
    why       {text} NOT NULL,
    heartbeat {int} NOT NULL,     -- seconds; 0: none
    expires   {int} NOT NULL,     -- 0: never
    state     {text} NOT NULL,    -- requested, active, error, off
    reason    {text} NOT NULL DEFAULT '',
    events    {int} NOT NULL DEFAULT 0, -- the last number that was given to an event
    failures  {int} NOT NULL DEFAULT 0, -- posts in a row that came to nothing
    due       {int} NOT NULL,     -- the next handshake or heartbeat, and nothing before it after a failure
    created   {int} NOT NULL
);
CREATE UNIQUE INDEX subscription_of ON subscription (la) WHERE state <> 'off';

-- Which access was told to which subscription under which number.
CREATE TABLE told (
    subscription {text} NOT NULL,
    number       {int} NOT NULL, -- from 1
    effect       {text} NOT NULL,
    la           {text} NOT NULL,
    access       {text} NOT NULL,
    PRIMARY KEY (subscription, number)
) {narrow};
CREATE INDEX told_effect ON told (effect, subscription);

-- +goose Down
DROP TABLE told;
DROP TABLE subscription;
