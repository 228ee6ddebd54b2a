package day

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// invisible is whom an authority has sent and no hospital is shown, by its own word: NHS numbers, and its own ids of those whose number could
// not be read.
type invisible struct {
	numbers, locals map[string]bool
}

// notProtected says whom an authority's list has to name on that day, when everything that it has sent is answered.
func (m *model) notProtected(la *authority, on time.Time) invisible {
	out := invisible{map[string]bool{}, map[string]bool{}}
	for _, f := range la.files {
		if f.refused == noDuty {
			continue // nothing of it was read
		}
		for _, e := range f.entries[:f.read] {
			switch {
			case e.fault == nil:
				out.numbers[e.who.number] = true // unless a flag shows the child, below
			case e.fault.lost || e.fault.csv == skipped:
			case e.fault.unnamed:
				out.locals[e.local] = true
			default:
				out.numbers[e.who.number] = true
			}
		}
	}
	for _, r := range la.rows {
		if e := r.between(len(la.files), len(la.files))[0]; e != nil && e.visible(on) {
			delete(out.numbers, r.key.number)
			delete(out.locals, e.local)
		}
	}
	return out
}

// compare says in what a list is not what it should be.
func (want invisible) compare(list []byte) []string {
	rows, err := csv.NewReader(bytes.NewReader(list)).ReadAll()
	if err != nil || len(rows) == 0 || !strings.HasPrefix(strings.Join(rows[0], ","), "nhs_number,local_id,") {
		return []string{fmt.Sprintf("the list is no CSV of ours: %v", err)}
	}
	var out []string
	left := invisible{maps.Clone(want.numbers), maps.Clone(want.locals)}
	for _, row := range rows[1:] {
		number, local, why, todo := row[0], row[1], row[4], row[6]
		if why == "" || todo == "" || row[3] == "" {
			out = append(out, "a line does not say since when, why and what to do")
		}
		of, key := left.numbers, number
		if number == "" {
			of, key = left.locals, local
		}
		switch {
		case key == "": // a file, or a record of which nothing could be read
		case of[key]:
			delete(of, key)
		default:
			out = append(out, "the list names a child, "+why+", who is shown, was never sent, or stands in it twice")
		}
	}
	if n := len(left.numbers) + len(left.locals); n > 0 {
		out = append(out, fmt.Sprintf("the list leaves out %d of %d children whom nobody sees", n, len(want.numbers)+len(want.locals)))
	}
	return out
}

// protected asks the binary for every authority's list of the children whom no hospital sees, when the day is over.
func (d *day) protected(t *testing.T) {
	t.Helper()
	config := d.w.File(t, "day")
	for _, la := range d.m.las {
		before := d.m.day(time.Now())
		file := filepath.Join(t.TempDir(), la.ods+".csv")
		out, err := exec.Command(d.binary, "protected", "--config", config, "--la", la.ods, "--file", file).CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 3) {
			t.Fatalf("signalbox protected --la %s: %v: %s", la.ods, err, out)
		}
		list, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := d.m.notProtected(la, before)
		wrong := want.compare(list)
		if after := d.m.day(time.Now()); len(wrong) > 0 && after != before {
			wrong = d.m.notProtected(la, after).compare(list)
		}
		for _, w := range wrong {
			d.m.blame("%s: %s", la.name, w)
		}
		d.m.checked.unprotected += len(want.numbers) + len(want.locals)
	}
}

// A list that is wrong in each way is seen.
func TestAWrongListIsSeen(t *testing.T) {
	m := answeredEngland(t)
	now := m.day(time.Now())
	at := slices.IndexFunc(m.las, func(la *authority) bool { w := m.notProtected(la, now); return len(w.numbers) > 1 && len(w.locals) > 0 })
	want := m.notProtected(m.las[at], now)
	numbers, locals := slices.Sorted(maps.Keys(want.numbers)), slices.Sorted(maps.Keys(want.locals))
	written := func(numbers, locals []string) []byte {
		b := bytes.NewBufferString("nhs_number,local_id,plan_type,since,why,reason,what_to_do,message,record\r\n")
		for _, n := range numbers {
			fmt.Fprintf(b, "%s,X,,2026-01-01T00:00:00Z,ended,,nothing,M,1\r\n", n)
		}
		for _, l := range locals {
			fmt.Fprintf(b, ",%s,,2026-01-01T00:00:00Z,rejected,nhs-number,mend it,M,1\r\n", l)
		}
		return b.Bytes()
	}
	for name, tc := range map[string]struct {
		list []byte
		want int
	}{
		"the list":             {written(numbers, locals), 0},
		"with a file":          {append(written(numbers, locals), ",,,2026-01-01T00:00:00Z,file-not-read,x,mend,M,0\r\n"...), 0},
		"a child left out":     {written(numbers[1:], locals), 1},
		"an id left out":       {written(numbers, locals[1:]), 1},
		"a child who is shown": {written(append(slices.Clone(numbers), m.flagged(t, 1).number), locals), 1},
		"a child twice":        {written(append(slices.Clone(numbers), numbers[0]), locals), 1},
		"without a reason":     {bytes.Replace(written(numbers, locals), []byte("rejected"), nil, 1), 1},
		"no list":              {[]byte("sorry\r\n"), 1},
	} {
		if got := want.compare(tc.list); len(got) != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
