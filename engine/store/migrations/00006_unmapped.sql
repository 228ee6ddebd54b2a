-- +goose Up

-- The failed look-ups, found without reading every fault.
CREATE INDEX fault_unmapped ON fault (message, position) WHERE rule = 'code-unmapped';

-- +goose Down
DROP INDEX fault_unmapped;
