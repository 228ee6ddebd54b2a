package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Once remembers one-use tokens for all the processes that answer one trust.
type Once interface {
	// TakeOnce remembers a key until a time and reports whether it is new; the key is a digest. It is durable when TakeOnce returns.
	TakeOnce(ctx context.Context, key string, until time.Time) (fresh bool, err error)
}

// once lets a one-use token in the first time. Where processes share their memory, what one of them let in no other does. Where this process
// has the only memory, a token that was issued before it began may have been used with the one before it.
func (a *Authenticator) once(ctx context.Context, i Issuer, c claims, now, until time.Time) *Refusal {
	jti, _ := c["jti"].(string)
	if jti == "" || len(jti) > maxText {
		return &Refusal{Reason: MissingClaim, Claim: "jti"}
	}
	key := sha256.Sum256([]byte(i.Name + "\x00" + jti))
	if a.cfg.Once != nil {
		return a.onceShared(ctx, key, now, until)
	}
	if iat, _ := c.moment("iat"); iat.Before(a.began) {
		return refuse(Replayed)
	}
	switch fresh, ok := a.used.once(key, now, until); {
	case !ok:
		return refuse(Crowded)
	case !fresh:
		return refuse(Replayed)
	}
	return nil
}

// onceShared asks this process's own memory first, which may forget, and then the one that all share. That is kept for a while longer than
// the token holds, because another process's clock may be behind ours.
func (a *Authenticator) onceShared(ctx context.Context, key digest, now, until time.Time) *Refusal {
	if _, known := a.used.get(key, now); known {
		return refuse(Replayed)
	}
	fresh, err := a.cfg.Once.TakeOnce(ctx, hex.EncodeToString(key[:]), until.Add(a.cfg.Leeway))
	if err != nil {
		return refuse(RecordAway)
	}
	a.used.put(key, struct{}{}, now, until)
	if !fresh {
		return refuse(Replayed)
	}
	return nil
}
