package stream

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"signalbox/internal/teeth"
)

// trimJob removes what every group has acknowledged, every TrimInterval.
func (r *Redis) trimJob() {
	for pause(context.Background(), r.stop, r.cfg.TrimInterval) {
		ctx, cancel := context.WithTimeout(context.Background(), r.cfg.TrimInterval+commandTimeout)
		if _, err := r.Trim(ctx); err != nil {
			r.cfg.Logger.Warn("stream trim", "error", err)
		}
		cancel()
	}
}

// Trim removes, from every topic that this process publishes or subscribes to, the entries that every consumer group has
// acknowledged, and returns how many. The trim job calls it; so may an operator's command. A stream without a group is
// left alone. It never trims by length: that would drop entries which are unread or pending.
func (r *Redis) Trim(ctx context.Context) (int64, error) {
	var removed int64
	var errs []error
	for topic, stream := range r.topics.Range {
		n, err := trim(ctx, r.client, stream.(string))
		removed += n
		errs = append(errs, wrapName("stream: trim: topic "+topic.(string), err))
	}
	return removed, errors.Join(errs...)
}

// trim cuts one stream below the lowest entry that a group still needs.
//
// The order of the questions matters. XINFO GROUPS answers last-delivered-id and pending count at one moment; whatever is
// pending is asked afterwards. So an entry at or below the last-delivered-id of that moment, and below every pending one
// later, was acknowledged in between or before; entries delivered since then are above it and are kept.
func trim(ctx context.Context, client redis.UniversalClient, stream string) (int64, error) {
	groups, err := client.XInfoGroups(ctx, stream).Result()
	if err != nil {
		if noSuchKey(err) {
			return 0, nil
		}
		return 0, clean(err)
	}
	var lowest streamID
	for i, g := range groups {
		id, err := parseID(g.LastDeliveredID)
		if err != nil {
			return 0, err
		}
		if g.Pending > 0 && !teeth.Bite("trim-what-is-pending") {
			pending, err := client.XPending(ctx, stream, g.Name).Result()
			if err != nil {
				return 0, clean(err)
			}
			if pending.Count > 0 {
				first, err := parseID(pending.Lower)
				if err != nil {
					return 0, err
				}
				id = id.lower(first)
			}
		}
		if i == 0 {
			lowest = id
		}
		lowest = lowest.lower(id)
	}
	if lowest == (streamID{}) {
		return 0, nil // no group, or one that has read nothing
	}
	removed, err := client.XTrimMinID(ctx, stream, lowest.String()).Result()
	return removed, clean(err)
}

// Backlog is what one consumer group of a topic has not finished.
type Backlog struct {
	Group   string
	Waiting int64 // entries not delivered to any consumer yet; -1: Redis cannot tell
	Pending int64 // entries delivered and not acknowledged
}

// Backlogs returns the backlog of each group of a topic, by name; none if there is no such stream. For metrics.
func (r *Redis) Backlogs(ctx context.Context, topic string) ([]Backlog, error) {
	if err := checkName("topic", topic); err != nil {
		return nil, err
	}
	groups, err := r.client.XInfoGroups(ctx, streamKey(r.cfg.Prefix, topic)).Result()
	if err != nil {
		if noSuchKey(err) {
			return nil, nil
		}
		return nil, wrapName("stream: backlog: topic "+topic, clean(err))
	}
	backlogs := make([]Backlog, len(groups))
	for i, g := range groups {
		backlogs[i] = Backlog{Group: g.Name, Waiting: g.Lag, Pending: g.Pending}
	}
	slices.SortFunc(backlogs, func(a, b Backlog) int { return strings.Compare(a.Group, b.Group) })
	return backlogs, nil
}

func noSuchKey(err error) bool { return strings.Contains(err.Error(), "no such key") }

// streamID is an entry's id: milliseconds and a sequence number.
type streamID struct{ ms, seq uint64 }

func parseID(text string) (streamID, error) {
	ms, seq, _ := strings.Cut(text, "-")
	var id streamID
	var err error
	if id.ms, err = strconv.ParseUint(ms, 10, 64); err != nil {
		return streamID{}, errors.New("entry id: not a number")
	}
	if seq == "" {
		return id, nil
	}
	if id.seq, err = strconv.ParseUint(seq, 10, 64); err != nil {
		return streamID{}, errors.New("entry id: sequence is not a number")
	}
	return id, nil
}

func (a streamID) lower(b streamID) streamID {
	if b.ms < a.ms || (b.ms == a.ms && b.seq < a.seq) {
		return b
	}
	return a
}

func (a streamID) String() string {
	return strconv.FormatUint(a.ms, 10) + "-" + strconv.FormatUint(a.seq, 10)
}
