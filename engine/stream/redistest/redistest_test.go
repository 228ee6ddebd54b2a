package redistest

import (
	"strings"
	"testing"
)

func answer(t *testing.T, s *Server, words ...string) string {
	t.Helper()
	line, err := s.Do(words...)
	if err != nil {
		t.Fatalf("%s: %v", words[0], err)
	}
	return line
}

func TestKillRestartWipe(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		kept string
	}{"forgetful": {nil, "-1"}, "durable": {Durable(), "5"}} {
		t.Run(name, func(t *testing.T) {
			s := Start(t, test.args...)
			if s.URL() != "redis://"+s.Addr()+"/0" || !strings.HasPrefix(s.Addr(), "127.0.0.1:") {
				t.Fatalf("URL %s", s.URL())
			}
			answer(t, s, "SET", "key", "value")
			s.Kill()
			s.Kill() // again: nothing to do
			if _, err := s.Do("PING"); err == nil {
				t.Fatal("a killed server answers")
			}
			s.Restart()
			if got := answer(t, s, "GET", "key"); got != test.kept { // the answer's length
				t.Fatalf("after the restart: %q, want %q", got, test.kept)
			}
			s.Restart() // while it runs
			answer(t, s, "SET", "key", "value")
			s.Wipe()
			if got := answer(t, s, "DBSIZE"); got != "0" {
				t.Fatalf("%s keys after Wipe", got)
			}
		})
	}
}

func TestDoReportsErrorReplies(t *testing.T) {
	s := Start(t)
	if _, err := s.Do("NOSUCHCOMMAND"); err == nil || !strings.HasPrefix(err.Error(), "ERR unknown command") {
		t.Fatalf("error %v", err)
	}
}

func TestServersAreApart(t *testing.T) {
	a, b := Start(t), Start(t)
	answer(t, a, "SET", "key", "value")
	if got := answer(t, b, "DBSIZE"); got != "0" {
		t.Fatalf("the other server has %s keys", got)
	}
}
