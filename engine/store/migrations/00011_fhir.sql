-- +goose Up

-- Where the answer to a message is posted once the message is translated: the sender asked with async=true and response-url.
CREATE TABLE response (
    message  {text} PRIMARY KEY,
    client   {text} NOT NULL, -- the sender's name in the configuration
    endpoint {text} NOT NULL,
    state    {text} NOT NULL, -- due, sent, failed
    reason   {text} NOT NULL DEFAULT '',
    attempts {int} NOT NULL DEFAULT 0,
    due      {int} NOT NULL   -- nothing is posted before
);
CREATE INDEX response_due ON response (due) WHERE state = 'due';

-- Documents of which one FHIR reader takes what the other refuses. Rules and places alone; the bytes are the record's, by digest, where the
-- document was kept.
CREATE TABLE disagreement (
    digest {text} NOT NULL, -- SHA-256 of the document
    class  {text} NOT NULL, -- of fhir/gotchas.md, or undecided
    reader {text} NOT NULL, -- that refuses
    rule   {text} NOT NULL, -- of its first fault
    place  {text} NOT NULL,
    faults {int} NOT NULL,
    times  {int} NOT NULL,  -- how often it was seen
    seen   {int} NOT NULL,  -- last
    PRIMARY KEY (digest, class)
);

-- +goose Down
DROP TABLE disagreement;
DROP TABLE response;
