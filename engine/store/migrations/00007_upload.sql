-- +goose Up

-- The number that an authority gave each of its files, in the order in which they arrived.
CREATE TABLE upload (
    message  {text} PRIMARY KEY,
    la       {text} NOT NULL, -- ODS code
    file_id  {text} NOT NULL,
    received {int} NOT NULL,
    asked    {int} NOT NULL   -- 1: the file was a full refresh, and upload_absent tells who was not in it
);
CREATE INDEX upload_order ON upload (la, received);

-- The flags that stood when a full refresh came, and were not in it. Nothing follows from it but this row.
CREATE TABLE upload_absent (
    message {text} NOT NULL,
    nhs     {text} NOT NULL,
    plan    {text} NOT NULL,
    event   {int} NOT NULL, -- the flag event that stood
    PRIMARY KEY (message, nhs, plan)
) {narrow};

-- +goose Down
DROP TABLE upload_absent;
DROP TABLE upload;
