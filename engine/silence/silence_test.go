package silence

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signalbox/engine/store"
)

func settings(t rapid.TB) Config {
	t.Helper()
	c, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func moment(t rapid.TB, text string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", text, settings(t).Zone)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// sender is one that keeps a habit: on which days it comes, at which minute, how unpunctually. A minute beyond a day's is of the next day: what was
// done on a day is sent after its end.
type sender struct {
	days     string // working, all, or names of weekdays
	minute   int
	jitter   int // minutes, to both sides
	holidays bool
}

func (s sender) comes(c Calendar, d day) bool {
	if c.holiday(d) && !d.weekend() && !s.holidays {
		return false
	}
	return s.days == "all" || s.days == "working" && !d.weekend() || strings.Contains(s.days, d.weekday().String())
}

// signals are the times at which it comes on n days, by chance of a seed.
func (s sender) signals(cfg Config, from day, n int, seed uint64) []time.Time {
	r := rand.New(rand.NewPCG(seed, 1))
	var out []time.Time
	for d := from; d < from+day(n); d++ {
		off := 0
		if s.jitter > 0 {
			off = r.IntN(2*s.jitter+1) - s.jitter
		}
		if s.comes(cfg.Holidays, d) {
			y, m, at := d.date().Date()
			out = append(out, time.Date(y, m, at, 0, s.minute+off, r.IntN(60), 0, cfg.Zone))
		}
	}
	return out
}

func anySender(t *rapid.T) sender {
	return sender{
		days:   rapid.SampledFrom([]string{"working", "all", "Monday Thursday", "Monday", "Monday Tuesday Wednesday Thursday Friday Saturday"}).Draw(t, "days"),
		minute: rapid.IntRange(earliest+30, minutesADay+earliest-30).Draw(t, "minute"), jitter: rapid.IntRange(0, 25).Draw(t, "jitter"),
	}
}

func start(t *rapid.T) day { return dayOf(2025, 1, 1) + day(rapid.IntRange(0, 540).Draw(t, "start")) }

// Whoever keeps a habit is never called silent: at any hour, over weekends, bank holidays, Christmas and both changes of the clocks.
func TestWhoKeepsAHabitIsNeverSilent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, s, from := settings(t), anySender(t), start(t)
		s.holidays = s.days == "all" // that somebody who never rests rests on bank holidays has to be seen first
		all := s.signals(cfg, from, 150, rapid.Uint64().Draw(t, "seed"))
		for range 12 {
			i := rapid.IntRange(len(all)/2, len(all)-2).Draw(t, "heard")
			c := Learn(all[:i+1], cfg)
			almost := all[i+1].Add(-time.Second)
			if v := c.Judge(almost); v.State == Silent {
				t.Fatalf("%+v is called silent at %s before it comes as usual: %s", s, almost, v.Why)
			}
		}
	})
}

// Whoever stops is called silent on the next day on which it comes, soon after the time by which it usually does and not before, and for as long as
// nothing is heard: nobody is forgotten. What it says is the same whatever the order and the number of copies of what was heard.
func TestWhoStopsIsSilentForAsLongAsItIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, s, from := settings(t), anySender(t), start(t)
		s.holidays = s.days == "all"
		all := s.signals(cfg, from, 120, rapid.Uint64().Draw(t, "seed"))
		next := s
		next.jitter = 0
		last := all[len(all)-1]
		expected := next.signals(cfg, from+120, 30, 1)[0] // when it would have come, had it not stopped
		c := Learn(all, cfg)
		if v := c.Judge(expected); v.State == Silent || v.Since != (time.Time{}) {
			t.Fatalf("%+v: silent before its time: %s", s, v.Why)
		}
		late := expected.Add(time.Duration(2*s.jitter)*time.Minute + 3*cfg.Grace) // what is learnt of its punctuality, and the grace
		first := c.Judge(late)
		if first.State != Silent || first.Since.After(late) || first.Since.Before(expected) || !first.Last.Equal(last) {
			t.Fatalf("%+v: at %s want silent, got %+v", s, late, first)
		}
		for _, days := range []int{1, 20, 90, 700} {
			if v := c.Judge(late.AddDate(0, 0, days)); v.State != Silent || !v.Since.Equal(first.Since) {
				t.Fatalf("%+v: after %d days it is %s since %s", s, days, v.State, v.Since)
			}
		}
		mixed := append(slices.Clone(all), all[:len(all)/3]...)
		rand.New(rand.NewPCG(7, 7)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		if got := Learn(mixed, cfg).Judge(late); got != first {
			t.Fatalf("order or copies change the verdict: %+v, %+v", got, first)
		}
		for _, word := range []string{"\n", "%!"} {
			if strings.Contains(first.Why, word) {
				t.Fatalf("an odd sentence: %q", first.Why)
			}
		}
	})
}

// Missed days and one very late one do not move what is expected: one in ten is missing, and one came at night.
func TestOddDaysDoNotMoveTheHabit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := settings(t)
		s := sender{days: "working", minute: 7*60 + 30, jitter: 10}
		all := s.signals(cfg, start(t), 80, rapid.Uint64().Draw(t, "seed"))
		whole := Learn(all, cfg)
		odd := slices.Clone(all)
		for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(5, len(odd)-5), 1, len(odd)/12, rapid.ID[int]).Draw(t, "missed") {
			odd[i] = time.Time{}
		}
		odd = slices.DeleteFunc(odd, time.Time.IsZero)
		i := rapid.IntRange(1, len(odd)-2).Draw(t, "late")
		odd[i] = odd[i].Add(5 * time.Hour)
		v, w := Learn(odd, cfg).Judge(all[len(all)-1]), whole.Judge(all[len(all)-1])
		if d := v.Due.Sub(w.Due); d > time.Hour || d < -time.Hour {
			t.Fatalf("the deadline moves by %s: %s; %s", d, v.Why, w.Why)
		}
	})
}

// What an operator reads, and when it is said.
func TestTheSentences(t *testing.T) {
	cfg := settings(t)
	august := dayOf(2026, 7, 22)
	working := sender{days: "working", minute: 7*60 + 30, jitter: 10}.signals(cfg, august, 40, 1) // to Friday 28 August
	missed := slices.Delete(slices.Clone(working), 12, 14)
	monthly := []time.Time{}
	for i := range 14 {
		monthly = append(monthly, moment(t, "2026-01-05 09:00").AddDate(0, 0, 11*i))
	}
	for name, tc := range map[string]struct {
		heard []time.Time
		at    string
		state State
		why   string
	}{
		"a bank holiday is quiet":     {working, "2026-08-31 23:00", Heard, "came on 28 of the last 28 working days, by 07:4"},
		"the day after it is not":     {missed, "2026-09-01 11:00", Silent, "came on 26 of the last 28 working days, by 07:4"},
		"now and since when":          {missed, "2026-09-01 11:00", Silent, "; now Tue 1 Sep 11:00, and nothing since Fri 28 Aug 07:"},
		"a Saturday is quiet":         {working, "2026-08-29 12:00", Heard, "working days"},
		"five past midnight":          {sender{days: "working", minute: minutesADay + 5, jitter: 9}.signals(cfg, august, 40, 1), "2026-09-01 12:00", Heard, "working days, by 00:"},
		"after that midnight":         {sender{days: "working", minute: minutesADay + 5, jitter: 9}.signals(cfg, august, 40, 1), "2026-09-02 02:00", Silent, "working days, by 00:"},
		"Mondays and Thursdays":       {sender{days: "Monday Thursday", minute: 600}.signals(cfg, august, 40, 1), "2026-08-31 12:00", Heard, "Mondays, Thursdays but bank holidays, by 10:00"},
		"every day":                   {sender{days: "all", minute: 600, holidays: true}.signals(cfg, dayOf(2026, 4, 1), 60, 1), "2026-05-31 12:00", Silent, "came on 57 of the last 57 days, by 10:00"},
		"days but bank holidays":      {sender{days: "all", minute: 600}.signals(cfg, dayOf(2026, 4, 10), 60, 1), "2026-06-09 12:00", Silent, "days but bank holidays, by 10:00"},
		"no day is like another":      {monthly, "2026-06-20 12:00", Silent, "never quiet for longer than 11 days"},
		"too little is known":         {working[:4], "2026-07-28 12:00", Learning, "heard 4 times in 6 days: too little to know when it comes"},
		"too little, and a week gone": {working[:4], "2026-08-05 12:00", Silent, "too little to know when it comes; now Wed 5 Aug 12:00, and nothing since Mon 27 Jul 07:"},
		"nothing at all":              {nil, "2026-08-05 12:00", Never, "nothing was ever heard"},
	} {
		t.Run(name, func(t *testing.T) {
			v := Learn(tc.heard, cfg).Judge(moment(t, tc.at))
			if v.State != tc.state || !strings.Contains(v.Why, tc.why) {
				t.Errorf("want %s, %q; got %s, %q (since %s, due %s)", tc.state, tc.why, v.State, v.Why, v.Since, v.Due)
			}
		})
	}
}

// Beyond the last year of the file a bank holiday is taken for a working day, and the sentence says so aloud.
func TestBeyondTheCalendarItSaysSo(t *testing.T) {
	cfg := settings(t)
	all := sender{days: "working", minute: 450}.signals(cfg, dayOf(2027, 11, 1), 61, 1) // to New Year's Eve
	v := Learn(all, cfg).Judge(moment(t, "2028-01-03 12:00"))                           // which is one, and not in the file
	if v.State != Silent || !strings.Contains(v.Why, "THE BANK HOLIDAYS OF 2028 ARE NOT KNOWN") {
		t.Errorf("%s: %s", v.State, v.Why)
	}
}

// A trust that asks around the clock, less at night: it is noticed within the day.
func TestABusyTrustIsNoticedWithinHours(t *testing.T) {
	cfg := settings(t)
	r := rand.New(rand.NewPCG(5, 5))
	var all []time.Time
	for at := moment(t, "2026-03-01 00:00"); at.Before(moment(t, "2026-04-20 14:00")); {
		gap := time.Duration(10+r.IntN(60)) * time.Minute
		if h := at.In(cfg.Zone).Hour(); h < 6 {
			gap *= 3
		}
		at = at.Add(gap)
		all = append(all, at)
	}
	c := Learn(all, cfg)
	if v := c.Judge(moment(t, "2026-04-20 15:30")); v.State != Heard {
		t.Errorf("too early: %s", v.Why)
	}
	if v := c.Judge(moment(t, "2026-04-20 23:00")); v.State != Silent || !strings.Contains(v.Why, "never quiet for longer than") {
		t.Errorf("%s: %s", v.State, v.Why)
	}
	for i := len(all) / 2; i < len(all)-1; i += 7 {
		if v := Learn(all[:i+1], cfg).Judge(all[i+1].Add(-time.Second)); v.State == Silent {
			t.Fatalf("called silent as it asks: %s", v.Why)
		}
	}
}

// stays is an authority that collects at nine on working days what came since.
func stays(cfg Config, from day, n int) []store.Stay {
	var out []store.Stay
	for d := from; d < from+day(n); d++ {
		if !cfg.Holidays.working(d) {
			continue
		}
		y, m, at := d.date().Date()
		collected := time.Date(y, m, at, 9, 0, 0, 0, cfg.Zone)
		out = append(out, store.Stay{Sent: collected.Add(-16 * time.Hour), Collected: collected})
	}
	return out
}

func TestAMailboxThatIsNotCollected(t *testing.T) {
	cfg := settings(t)
	past := stays(cfg, dayOf(2026, 11, 2), 50) // to Monday 21 December
	lies := func(since string) []store.Stay { return append(slices.Clone(past), store.Stay{Sent: moment(t, since)}) }
	for name, tc := range map[string]struct {
		stays []store.Stay
		at    string
		state State
		why   string
	}{
		"all collected":               {past, "2027-01-30 12:00", Heard, "collected 36 of the last 36 messages within 16 hours of working days"},
		"it lies as long as usual":    {lies("2026-12-22 17:00"), "2026-12-23 09:00", Heard, ""},
		"longer":                      {lies("2026-12-22 17:00"), "2026-12-23 17:30", Silent, "a message has lain there since Tue 22 Dec 17:00"},
		"over Christmas it may":       {lies("2026-12-24 17:00"), "2026-12-29 09:00", Heard, ""},
		"but not after it":            {lies("2026-12-24 17:00"), "2026-12-29 20:00", Silent, ""},
		"too little is known":         {past[:5], "2026-12-24 17:00", Learning, "collected 5 times"},
		"nobody can be asked":         {nil, "2026-12-24 17:00", Never, ""},
		"who collects at weekends is": {append(lies("2026-12-25 10:00"), weekends(cfg)...), "2026-12-26 20:00", Silent, "within 16 hours"},
	} {
		t.Run(name, func(t *testing.T) {
			v := Collecting(tc.stays, moment(t, tc.at), cfg)
			if v.State != tc.state || !strings.Contains(v.Why, tc.why) || (v.State == Silent) == v.Since.IsZero() {
				t.Errorf("want %s, %q; got %+v", tc.state, tc.why, v)
			}
		})
	}
}

func weekends(cfg Config) []store.Stay {
	var out []store.Stay
	for _, d := range []int{5, 6, 12} { // of December 2026
		at := time.Date(2026, 12, d, 9, 0, 0, 0, cfg.Zone)
		out = append(out, store.Stay{Sent: at.Add(-5 * time.Hour), Collected: at})
	}
	return out
}

func TestOurOwnMailbox(t *testing.T) {
	cfg := settings(t)
	at := moment(t, "2026-08-03 12:00")
	for after, want := range map[time.Duration]State{0: Heard, 29 * time.Minute: Heard, 31 * time.Minute: Silent, 90 * 24 * time.Hour: Silent} {
		if v := Polling(at, at.Add(after), cfg); v.State != want || !strings.Contains(v.Why, "every 5 minutes") {
			t.Errorf("after %s: %+v", after, v)
		}
	}
	if v := Polling(time.Time{}, at, cfg); v.State != Never {
		t.Errorf("never listed: %+v", v)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	if err := settings(t).Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Config){
		"days": func(c *Config) { c.Days = 3 }, "share": func(c *Config) { c.Share = 0.5 }, "minDays": func(c *Config) { c.MinDays = 1 },
		"grace": func(c *Config) { c.Grace = -1 }, "unlearnt": func(c *Config) { c.Unlearnt = -1 }, "poll": func(c *Config) { c.Poll = 0 },
		"zone": func(c *Config) { c.Zone = nil },
	} {
		c := settings(t)
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "silence."+want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if fmt.Sprint(round(90*time.Second), round(3*time.Hour), round(9*24*time.Hour)) != "2 minutes3 hours9 days" {
		t.Error("spans are written oddly")
	}
}
