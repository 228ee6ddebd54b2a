package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"
)

// LocalConfig sets up the in-process transport.
type LocalConfig struct {
	Lanes        int           // how many messages of one topic may be in flight at once; the same key always takes the same lane
	Workers      int           // at most this many goroutines publish one batch
	NackDelay    time.Duration // pause before a nacked message is handed out again; doubles with each nack
	NackMaxDelay time.Duration // the longest such pause
	CloseTimeout time.Duration // how long Close waits for handlers that hold a message

	// Persistent keeps every message in memory for whoever subscribes later, and Publish then waits for nobody. It
	// exists for demonstrations and for Watermill's universal test suite, which publishes before it subscribes: there
	// is no back-pressure, no order, and memory grows without end.
	Persistent bool

	Logger *slog.Logger `yaml:"-"` // nil: silent
}

// DefaultLocal returns the in-process settings which suit one machine.
func DefaultLocal() LocalConfig {
	return LocalConfig{
		Lanes: 64, Workers: 64, NackDelay: 100 * time.Millisecond, NackMaxDelay: 30 * time.Second,
		CloseTimeout: 30 * time.Second,
	}
}

// Validate reports every setting that cannot work; each error unwraps to ErrConfig.
func (c LocalConfig) Validate() error {
	return configErrors("local",
		between("Lanes", c.Lanes, 1, 4096),
		between("Workers", c.Workers, 1, 4096),
		between("NackDelay", c.NackDelay, time.Microsecond, c.NackMaxDelay),
		between("CloseTimeout", c.CloseTimeout, 0, time.Hour),
	)
}

// RedisConfig sets up the transport over Redis Streams (Redis 6.2 or later).
type RedisConfig struct {
	// URLs are the servers: redis://host:port/db or rediss:// for TLS. One is a single server; several are a cluster's
	// or, with MasterName, the Sentinels. They hold no user or password: URLs get printed.
	URLs       []string
	MasterName string // the master's name with the Sentinels; empty: no Sentinel
	Cluster    bool   // the one URL is a cluster's configuration endpoint
	TLS        TLSConfig

	Username         string
	Password         Secret
	SentinelUsername string
	SentinelPassword Secret

	Prefix   string // first part of every key name, e.g. "signalbox"
	Consumer string // this process's name in every consumer group: unique among those running, and the same after a restart

	PoolSize       int           // connections of the subscriber side; each subscription holds one and borrows a second
	PublishBatch   int           // at most this many messages in one pipeline
	PublishTimeout time.Duration // after which a publish is unsure

	Lanes        int           // how many messages of one subscription may be with handlers at once
	ReadCount    int           // at most this many entries for one read
	Block        time.Duration // how long a read waits for entries; Close waits as long for a read to end
	MaxInFlight  int           // at most this many entries read and not yet acknowledged, per subscription
	AckBatch     int           // at most this many acknowledgements in one command
	AckLinger    time.Duration // how long the first acknowledgement waits for others
	NackDelay    time.Duration // pause before a nacked message is handed out again; doubles with each nack
	NackMaxDelay time.Duration // the longest such pause

	// MaxDeliveries is how often an entry may be handed out and not answered, because the process died each time, before it
	// goes to the dead stream. 0: no limit. From the third time on such entries are handed out one at a time.
	MaxDeliveries int

	ClaimMinIdle  time.Duration // another consumer's entry idle for this long is taken over; own ones are kept alive thrice as often
	ClaimInterval time.Duration // how often to look for such entries
	TrimInterval  time.Duration // how often entries that every group has acknowledged are removed; 0: never

	RetryDelay    time.Duration // pause after a failed command; doubles with each failure
	RetryMaxDelay time.Duration // the longest such pause
	CloseTimeout  time.Duration // how long Close waits for handlers that hold a message

	Logger *slog.Logger `yaml:"-"` // nil: silent
}

// TLSConfig secures rediss:// connections. All paths are PEM files; empty CAFile: the system's roots.
type TLSConfig struct {
	CAFile, CertFile, KeyFile string
	ServerName                string // empty: the host of the address
}

// DefaultRedis returns settings for a server on this machine. Consumer has no default: a name made up at each start
// would leave entries behind with a consumer that never returns.
func DefaultRedis() RedisConfig {
	return RedisConfig{
		URLs: []string{"redis://127.0.0.1:6379/0"}, Prefix: "signalbox",
		PoolSize: 128, PublishBatch: 512, PublishTimeout: 10 * time.Second,
		Lanes: 64, ReadCount: 256, Block: time.Second, MaxInFlight: 1024,
		AckBatch: 256, AckLinger: 2 * time.Millisecond,
		NackDelay: 100 * time.Millisecond, NackMaxDelay: 30 * time.Second,
		MaxDeliveries: 10,
		ClaimMinIdle:  time.Minute, ClaimInterval: 15 * time.Second, TrimInterval: time.Minute,
		RetryDelay: 100 * time.Millisecond, RetryMaxDelay: 10 * time.Second, CloseTimeout: 30 * time.Second,
	}
}

// Validate reports every setting that cannot work; each error unwraps to ErrConfig.
func (c RedisConfig) Validate() error {
	errs := []error{
		checkName("Prefix", c.Prefix), checkName("Consumer", c.Consumer),
		wrapName("Password", c.Password.validate()), wrapName("SentinelPassword", c.SentinelPassword.validate()),
		between("PoolSize", c.PoolSize, 2, 10_000),
		between("PublishBatch", c.PublishBatch, 1, 10_000),
		between("PublishTimeout", c.PublishTimeout, time.Millisecond, time.Hour),
		between("Lanes", c.Lanes, 1, 4096),
		between("ReadCount", c.ReadCount, 1, 10_000),
		between("Block", c.Block, time.Millisecond, time.Minute),
		between("MaxInFlight", c.MaxInFlight, c.Lanes, 1_000_000),
		between("AckBatch", c.AckBatch, 1, 10_000),
		between("AckLinger", c.AckLinger, 0, time.Second),
		between("NackDelay", c.NackDelay, time.Microsecond, c.NackMaxDelay),
		between("MaxDeliveries", c.MaxDeliveries, 0, 1_000_000),
		between("ClaimMinIdle", c.ClaimMinIdle, 10*time.Millisecond, 24*time.Hour),
		between("ClaimInterval", c.ClaimInterval, 10*time.Millisecond, 24*time.Hour),
		between("TrimInterval", c.TrimInterval, 0, 24*time.Hour),
		between("RetryDelay", c.RetryDelay, time.Millisecond, c.RetryMaxDelay),
		between("CloseTimeout", c.CloseTimeout, 0, time.Hour),
	}
	if len(c.URLs) == 0 {
		errs = append(errs, errors.New("URLs: at least one is needed"))
	}
	for i, text := range c.URLs {
		errs = append(errs, wrapName(fmt.Sprintf("URLs[%d]", i), checkURL(text)))
	}
	return configErrors("redis", errs...)
}

// checkURL never repeats the text: it may hold a password.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("not a URL")
	case u.Scheme != "redis" && u.Scheme != "rediss":
		return errors.New("the scheme must be redis or rediss")
	case u.User != nil:
		return errors.New("must not hold a user or password: use Username and Password")
	case u.Hostname() == "":
		return errors.New("host is missing")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("must not hold a query or fragment")
	}
	return nil
}

func between[T int | time.Duration](name string, v, low, high T) error {
	if v < low || v > high {
		return fmt.Errorf("%s: %v is not between %v and %v", name, v, low, high)
	}
	return nil
}

func wrapName(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

func configErrors(op string, errs ...error) error {
	if err := errors.Join(errs...); err != nil {
		return fault(ErrConfig, op, err)
	}
	return nil
}

func loggerOrSilent(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
