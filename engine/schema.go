package engine

import _ "embed"

// EventSchema is the JSON Schema (2020-12) of the events on the stream.
//
//go:embed schema/event.schema.json
var EventSchema string

// AsyncAPI describes the topics (AsyncAPI 3.0).
//
//go:embed schema/asyncapi.yaml
var AsyncAPI string
