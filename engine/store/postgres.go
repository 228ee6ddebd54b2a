package store

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"signalbox/internal/teeth"
)

func (s *Store) connectPostgres(ctx context.Context, cfg Config) error {
	s.dialect = postgresDialect()
	conf, err := cfg.postgres()
	if err != nil {
		return err
	}
	s.write = stdlib.OpenDB(*conf)
	s.write.SetMaxOpenConns(cfg.Writers)
	s.write.SetMaxIdleConns(cfg.Writers)
	if err := s.migrate(ctx); err != nil {
		return err
	}
	s.read = stdlib.OpenDB(*conf)
	s.read.SetMaxOpenConns(cfg.Readers)
	s.read.SetMaxIdleConns(cfg.Readers)
	if err := s.readClock(ctx); err != nil {
		return err
	}
	s.meet(conf)
	return nil
}

// postgres reads the URL. Errors name the setting, never what is in it.
func (c Config) postgres() (*pgx.ConnConfig, error) {
	if err := checkURL(c.URL); err != nil {
		return nil, err
	}
	conf, err := pgx.ParseConfig(c.URL)
	if err != nil {
		return nil, errors.New("store.url: is no PostgreSQL address, or names a file that cannot be read")
	}
	if c.Password != "" {
		conf.Password = c.Password
	}
	if conf.RuntimeParams["application_name"] == "" {
		conf.RuntimeParams["application_name"] = "signalbox"
	}
	if conf.RuntimeParams[idleLimit] == "" && !teeth.Bite("frozen-keeps-its-locks") {
		conf.RuntimeParams[idleLimit] = "10s"
	}
	return conf, nil
}

// idleLimit is the setting after which the server ends a transaction whose client says nothing (PostgreSQL, client connection defaults). A
// process that is frozen in the middle of one holds its locks, and every other engine would wait for it to thaw.
const idleLimit = "idle_in_transaction_session_timeout"

// checkURL refuses an address that holds a password, or that would send the record over a network in the clear without saying so: the
// driver's default falls back to that.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("store.url: is not of the form postgres://user@host:port/database")
	}
	q := u.Query()
	if _, has := u.User.Password(); has || q.Has("password") {
		return errors.New("store.url: must not hold a password: name it by file or environment variable in store.password")
	}
	said := slices.Contains([]string{"require", "verify-ca", "verify-full", "disable"}, q.Get("sslmode"))
	for host := range strings.SplitSeq(u.Host+","+q.Get("host"), ",") {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		ip := net.ParseIP(strings.Trim(host, "[]"))
		local := host == "" || host == "localhost" || strings.HasPrefix(host, "/") || ip != nil && ip.IsLoopback()
		if !local && !said {
			return errors.New("store.url: personal data must not cross a network in the clear: add sslmode=verify-full, or sslmode=disable where the network is private to the machine")
		}
	}
	return nil
}

// durable settles on a connection what the promises rest on, whatever the server's or the role's defaults are.
const durable = `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`

// again reports whether the database undid the transaction because of another one, so that it may be run again as it is
// (PostgreSQL, appendix A: serialization_failure and deadlock_detected).
func again(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}

// broken reports whether the connection cannot be used any more.
func broken(conn *sql.Conn) bool {
	err := conn.Raw(func(c any) error {
		if pg, ok := c.(*stdlib.Conn); ok && pg.Conn().IsClosed() {
			return net.ErrClosed
		}
		return nil
	})
	return err != nil
}

// reply hides what a PostgreSQL error says beside its code: a message can quote a value.
type reply struct{ cause *pgconn.PgError }

// Error names the code (PostgreSQL, appendix A).
func (r reply) Error() string {
	return "PostgreSQL answers " + r.cause.Severity + ", SQLSTATE " + r.cause.Code
}

// Unwrap returns the cause.
func (r reply) Unwrap() error { return r.cause }

func hideReply(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return reply{e}
	}
	return err
}
