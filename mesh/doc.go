// Package mesh is a client of the MESH HTTP API: it signs tokens, sends, lists, downloads, acknowledges and tracks
// messages of one mailbox.
//
// The rules come from the NHS MESH API specification (mesh-api.yaml 2.0.0); where the specification is silent the
// behaviour of the published mesh-sandbox and of NHS Digital's own clients is followed, and the comment says so.
//
// Three habits keep it safe. Every attempt carries a fresh token, for a token may be used once. The call that creates a
// message is never repeated blindly: when its outcome is not known the error says so (ErrOutcomeUnknown) and the caller
// looks the message up by tracking. And no error, nor any log line made of one, holds text of a message or of a header.
package mesh
