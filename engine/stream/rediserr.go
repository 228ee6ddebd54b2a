package stream

import (
	"errors"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"signalbox/internal/teeth"
)

// serverError is an error reply of Redis, by its code alone: the text of some replies repeats the command's arguments,
// and with them a payload.
type serverError string

// Error names the code.
func (e serverError) Error() string { return "redis answered " + string(e) }

// The codes that mean something to this package.
const (
	codeNoGroup   serverError = "NOGROUP"
	codeUnblocked serverError = "UNBLOCKED"
	codeBusyGroup serverError = "BUSYGROUP"
)

// clean reduces an error reply to its code and passes any other error on.
func clean(err error) error {
	var reply redis.Error
	if err == nil || !errors.As(err, &reply) || errors.Is(err, redis.Nil) {
		return err
	}
	code, _, _ := strings.Cut(reply.Error(), " ")
	if code == "" || strings.ToUpper(code) != code || len(code) > 20 {
		code = "an error"
	}
	return serverError(code)
}

// groupGone reports that the stream or the group has vanished: flushed, failed over, or deleted while being read.
func groupGone(err error) bool {
	return errors.Is(err, codeNoGroup) || errors.Is(err, codeUnblocked)
}

// published classifies the result of one XADD. Refused is only what cannot have reached the server or what the server
// itself refused; everything else is unsure.
func published(id string, err error) error {
	if err == nil {
		if id == "" {
			return fault(ErrUnsure, "publish", errors.New("no reply"))
		}
		return nil
	}
	err = clean(err)
	if teeth.Bite("lost-reply-is-refusal") {
		return fault(ErrRefused, "publish", err)
	}
	var code serverError
	var network *net.OpError
	switch {
	case errors.As(err, &code),
		errors.As(err, &network) && network.Op == "dial",
		errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted), errors.Is(err, redis.ErrClosed):
		return fault(ErrRefused, "publish", err)
	}
	return fault(ErrUnsure, "publish", err)
}
