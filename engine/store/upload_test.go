package store_test

import (
	"slices"
	"testing"
	"time"

	"signalbox/engine"
	"signalbox/engine/store"
)

// A file's number is noted once, with its translation; the one before is found by the order of arrival, and absence changes no flag.
func testUploadsAreNotedInOrder(t *testing.T, p place) {
	s := p.open(t)
	var last store.Upload
	for i, id := range []string{"41", "42", "44"} {
		m := message("M"+id, "content")
		m.Received = time.UnixMicro(int64(1+i) * 1_000_000).UTC()
		_, err := s.Intake(ctx, m)
		must(t, err)
		e := flagOf(t, m, 1)
		u := store.Upload{Message: m.ID, Authority: "999", FileID: id, Received: m.Received, FullRefresh: id == "44"}
		if u.FullRefresh {
			u.Absent = []engine.Envelope{e}
		}
		for range 2 { // the second changes nothing
			must(t, s.SaveTranslation(ctx, store.Translation{Wait: waiting(m), Mapping: "m", Records: slices.Values([]engine.Translated{accepted(e)}),
				Also: []func(*store.Tx) error{func(tx *store.Tx) error { return tx.NoteUpload(u) }}}))
		}
		last = u
	}
	for at, want := range map[int64]string{1: "", 2: "41", 3: "42", 4: "44"} {
		if got, err := s.FileIDBefore(ctx, "999", time.UnixMicro(at*1_000_000)); err != nil || got != want {
			t.Errorf("before %d: %q, %v", at, got, err)
		}
	}
	if got, err := s.FileIDBefore(ctx, "998", time.UnixMicro(9_000_000)); err != nil || got != "" {
		t.Errorf("another authority's: %q, %v", got, err)
	}
	u, absent, found, err := s.UploadOf(ctx, last.Message)
	if err != nil || !found || absent != 1 || u.FileID != "44" || !u.Received.Equal(last.Received) {
		t.Errorf("%+v, %d, %v, %v", u, absent, found, err)
	}
	newest, found, err := s.Absences(ctx, "999")
	if err != nil || !found || len(newest.Absent) != 1 || newest.Absent[0].ID != last.Absent[0].ID {
		t.Errorf("%+v, %v, %v", newest, found, err)
	}
	if _, found, err = s.Absences(ctx, "998"); err != nil || found {
		t.Errorf("another authority's refresh: %v, %v", found, err)
	}
}
