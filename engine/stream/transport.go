// Package stream carries messages between the engine's rooms: one Watermill publisher and subscriber, in process or over
// Redis Streams, with the same rules on both, so that nothing above it knows which of the two is underneath.
//
// A transport is not a record. It may lose what it holds (a wiped Redis, a stopped process) and it may deliver twice; the
// outbox behind it publishes again whatever has no outcome, and handlers are idempotent. What a transport does promise is
// order by key, back-pressure, no silent loss while it stands, and no outcome reported that it does not know.
package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"signalbox/internal/teeth"
)

// KeyMetadata names the metadata entry that holds a message's ordering key. The key is a hash without personal data: it
// is readable by whoever can read the transport. Messages with the same key are handled in order and one at a time by
// one subscription. A message without a key is ordered against nothing.
const KeyMetadata = "signalbox_key"

// Transport is a Watermill publisher and subscriber over one medium. All methods are safe for concurrent use.
type Transport interface {
	// Publish sends messages to a topic. A nil error means every message was taken. Any other error unwraps to
	// ErrUnsure if the fate of at least one message is unknown; a *BatchError says which messages are concerned.
	// Whatever is not known to be taken may be published again: the same message twice is allowed, a lost one is not.
	//
	// Close closes the whole transport: subscribers first (their handlers are waited for), then the publisher.
	message.Publisher

	// Subscriber returns a subscriber in a consumer group: each group gets every message, shared among the group's
	// subscribers (in process: one).
	Subscriber(group string) (message.Subscriber, error)

	// Ready reports whether messages can flow now: nil, or every reason that they cannot.
	Ready(ctx context.Context) error
}

// Errors that a caller may branch on with errors.Is.
var (
	// ErrUnsure: a message may or may not have been taken. Publish it again with the same UUID.
	ErrUnsure = errors.New("outcome unsure")
	// ErrRefused: a message was certainly not taken.
	ErrRefused = errors.New("not taken")
	// ErrClosed: the transport or the subscriber is closed.
	ErrClosed = errors.New("transport closed")
	// ErrNoSubscriber: nobody subscribes to the topic, and the transport keeps nothing for later.
	ErrNoSubscriber = errors.New("no subscriber")
	// ErrSubscribed: the topic already has a subscription here. A second one would break the order by key.
	ErrSubscribed = errors.New("already subscribed")
	// ErrConfig: a setting, a topic or a group name that cannot work.
	ErrConfig = errors.New("invalid configuration")
)

// Failure is one message of a batch which is not known to be taken.
type Failure struct {
	Index int   // position in the batch handed to Publish, from 0
	Err   error // unwraps to ErrUnsure or ErrRefused
}

// BatchError reports the messages of one Publish which are not known to be taken; all others were. It unwraps to the
// failures' errors, so errors.Is(err, ErrUnsure) tells whether any message's outcome is unknown.
type BatchError struct {
	Size     int       // how many messages the batch had
	Failures []Failure // in order of Index
}

// Error names counts and the first reason, never a message's content.
func (e *BatchError) Error() string {
	unsure := 0
	for _, f := range e.Failures {
		if errors.Is(f.Err, ErrUnsure) {
			unsure++
		}
	}
	return fmt.Sprintf("stream: publish: %d of %d messages not confirmed (%d unsure), first: %v",
		len(e.Failures), e.Size, unsure, e.Failures[0].Err)
}

// Unwrap gives errors.Is and errors.As the failures' errors.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		errs[i] = f.Err
	}
	return errs
}

// batchError returns the failures as an error, or nil if there are none.
func batchError(size int, failures []Failure) error {
	if len(failures) == 0 {
		return nil
	}
	return &BatchError{Size: size, Failures: failures}
}

// fault marks a cause as one of the errors above, keeping both for errors.Is.
func fault(kind error, op string, cause error) error {
	if cause == nil {
		return fmt.Errorf("stream: %s: %w", op, kind)
	}
	return fmt.Errorf("stream: %s: %w: %w", op, kind, cause)
}

// checkName refuses topic and group names which would break key names in Redis (a hash tag) or logs (control characters).
func checkName(what, name string) error {
	const longest = 200
	switch {
	case name == "":
		return fault(ErrConfig, what, errors.New("must not be empty"))
	case len(name) > longest:
		return fault(ErrConfig, what, fmt.Errorf("longer than %d bytes", longest))
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '{' || r == '}' }):
		return fault(ErrConfig, what, errors.New("must not hold spaces, control characters or braces"))
	}
	return nil
}

// laneOf maps a message to one of n lanes by its key (FNV-1a, the same in every process and version). Without a key the
// UUID spreads messages evenly, which orders them against nothing.
func laneOf(uuid, key string, n int) int {
	if key == "" {
		key = uuid
	}
	if teeth.Bite("lane-by-chance") {
		key = uuid
	}
	hash := uint64(14695981039346656037)
	for i := range len(key) {
		hash = (hash ^ uint64(key[i])) * 1099511628211
	}
	return int((hash ^ hash>>32) % uint64(n))
}
