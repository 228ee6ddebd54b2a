package store

import (
	"context"
	"time"

	"signalbox/engine"
)

// TaskKind is what a task is about.
type TaskKind string

// The kinds of task. The first two suspend the child's uploads while they are open.
const (
	TaskSuperseded TaskKind = "superseded" // PDS has another number for the child
	TaskInactive   TaskKind = "inactive"   // the number is nobody's any more; adoption is the common cause
	TaskFound      TaskKind = "found"      // a record has no NHS number, and PDS has one person of its name and birth date
	TaskSensitive  TaskKind = "sensitive"  // the record is restricted: the authority's safeguarding lead has to be spoken to
)

// Task is something that a person has to decide about one child of one authority. It names the record that brought it up and shows no datum.
type Task struct {
	ID        int64
	Kind      TaskKind
	Authority string // ODS code
	NHSNumber engine.NHSNumber
	Message   engine.MessageID
	Position  int
	Opened    time.Time
	Closed    time.Time // zero: open
	Note      string    // of who closed it
}

// OpenTask opens a task and reports whether it is new: one child of one authority has one open task of a kind. t.ID is set when it is.
func (tx *Tx) OpenTask(t *Task) (fresh bool, err error) {
	t.ID, fresh, err = tx.insert(`INSERT INTO task (kind, la, nhs, message, position, opened) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		string(t.Kind), t.Authority, t.NHSNumber.Reveal(), string(t.Message), t.Position, micros(tx.now))
	return fresh, err
}

// Tasks lists the open tasks, or all of them, oldest first.
func (s *Store) Tasks(ctx context.Context, closed bool) ([]Task, error) {
	query := `SELECT seq, kind, la, nhs, message, position, opened, closed, note FROM task WHERE closed = 0 ORDER BY seq`
	if closed {
		query = `SELECT seq, kind, la, nhs, message, position, opened, closed, note FROM task ORDER BY seq`
	}
	return s.tasks(ctx, query)
}

// OpenTasks counts the open tasks of one kind.
type OpenTasks struct {
	Kind   TaskKind
	Count  int
	Oldest time.Time // when the oldest was opened
}

// OpenTasks counts the open tasks by kind.
func (s *Store) OpenTasks(ctx context.Context) ([]OpenTasks, error) {
	rows, err := s.rows(ctx, `SELECT kind, count(*), min(opened) FROM task WHERE closed = 0 GROUP BY kind ORDER BY kind`)
	if err != nil {
		return nil, unavailable("tasks", err)
	}
	defer rows.Close()
	var out []OpenTasks
	for rows.Next() {
		var t OpenTasks
		var at int64
		if err := rows.Scan(&t.Kind, &t.Count, &at); err != nil {
			return nil, unavailable("tasks", err)
		}
		t.Oldest = fromMicros(at)
		out = append(out, t)
	}
	return out, unavailable("tasks", rows.Err())
}

func (s *Store) tasks(ctx context.Context, query string, args ...any) ([]Task, error) {
	rows, err := s.rows(ctx, query, args...)
	if err != nil {
		return nil, unavailable("tasks", err)
	}
	defer rows.Close()
	var out []Task
	for rows.Next() {
		var t Task
		var nhs string
		var opened, closed int64
		if err := rows.Scan(&t.ID, &t.Kind, &t.Authority, &nhs, &t.Message, &t.Position, &opened, &closed, &t.Note); err != nil {
			return nil, unavailable("tasks", err)
		}
		if t.NHSNumber, err = engine.ParseNHSNumber(nhs); err != nil {
			return nil, err
		}
		if t.Opened = fromMicros(opened); closed != 0 {
			t.Closed = fromMicros(closed)
		}
		out = append(out, t)
	}
	return out, unavailable("tasks", rows.Err())
}

// Suspended returns the numbers whose uploads an authority's open tasks suspend, each with the kind of its task.
func (s *Store) Suspended(ctx context.Context, odsCode string) (map[engine.NHSNumber]TaskKind, error) {
	open, err := s.tasks(ctx, `SELECT seq, kind, la, nhs, message, position, opened, closed, note FROM task
		WHERE la = ? AND closed = 0 AND kind IN (?,?) ORDER BY seq`, odsCode, string(TaskSuperseded), string(TaskInactive))
	if err != nil {
		return nil, err
	}
	out := map[engine.NHSNumber]TaskKind{}
	for _, t := range open {
		out[t.NHSNumber] = t.Kind
	}
	return out, nil
}

// CloseTask closes an open task with a note, and forgets what PDS said of the number, so that the next upload is asked about afresh. It reports
// false when no such task is open. Nothing else changes: no flag, and no number is swapped.
func (s *Store) CloseTask(ctx context.Context, id int64, note string) (closed bool, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		closed = false
		var nhs string
		ok, err := tx.scan(`SELECT nhs FROM task WHERE seq = ? AND closed = 0`, []any{id}, &nhs)
		if err != nil || !ok {
			return err
		}
		closed = true
		if err := tx.exec(`DELETE FROM trace WHERE nhs = ?`, nhs); err != nil {
			return err
		}
		return tx.exec(`UPDATE task SET closed = ?, note = ? WHERE seq = ?`, micros(tx.now), note, id)
	})
	return closed, err
}
