package demo

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"signalbox/engine/notify"
	"signalbox/engine/pipeline"
	"signalbox/engine/register"
	"signalbox/mesh/cpis"
)

// eliNumber is the child whose plan was sent with a 31 February.
const eliNumber = "9990000050"

// mend shows a child whom no hospital sees being found and mended.
func (s *stage) mend(ctx context.Context) error {
	s.story.title("Which of Testshire's children does no hospital see? ('signalbox protected'; by configuration also in its mailbox, daily)")
	before, err := s.unprotected(ctx, true)
	if err != nil {
		return err
	}
	if !slices.Contains(before, "LA-1005") {
		return fmt.Errorf("the child with the 31 February should be in the list of %d", len(before))
	}
	if err := s.shownOfEli(ctx, 0); err != nil {
		return err
	}
	body, err := mendedUpload(time.Now())
	if err != nil {
		return err
	}
	if err := s.test.upload(ctx, "upload-1044.xml", "1044", body); err != nil {
		return err
	}
	s.story.say("%s mends the record of LA-1005 and sends it again", s.test.name)
	letters, err := s.test.receive(ctx, "the acknowledgement of what it mended", 1)
	if err != nil {
		return err
	}
	for _, l := range letters {
		if err := s.test.tellAcknowledgement(&s.story, l); err != nil {
			return err
		}
	}
	after, err := s.unprotected(ctx, false)
	if err != nil {
		return err
	}
	if slices.Contains(after, "LA-1005") {
		return fmt.Errorf("the mended child should have left the list of %d", len(after))
	}
	s.story.say("Lines in the list now: %d, and LA-1005 in none of them", len(after))
	return s.shownOfEli(ctx, 1)
}

// shownOfEli asks as a hospital does, by a scheduled access that tells nobody, and wants so many plans.
func (s *stage) shownOfEli(ctx context.Context, plans int) error {
	answer, err := s.ask(ctx, "CareTeam", eliNumber, trustToken, map[string]string{"IsUnscheduledAccessEvent": "false"}, http.StatusOK)
	if err != nil {
		return err
	}
	s.story.say("A hospital that asks about LA-1005 is shown so many plans: %d", answer.Total)
	if answer.Total != plans {
		return fmt.Errorf("%d plans of the child with the 31 February are shown, not %d", answer.Total, plans)
	}
	return nil
}

// unprotected returns the authority's own ids of the children in Testshire's list, and tells it where that is wanted.
func (s *stage) unprotected(ctx context.Context, tell bool) ([]string, error) {
	reg, err := register.New(register.Default())
	if err != nil {
		return nil, err
	}
	all, err := notify.NotProtected(ctx, s.running.Store, reg, "999", pipeline.MeshSource(engineMailbox, testshireMailbox), time.Time{})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, u := range all {
		name := u.Child.LocalID.Reveal()
		if tell {
			reason, _, _ := strings.Cut(u.Reason(), "; ")
			shown := name
			if shown == "" {
				shown = "a file"
			}
			s.story.say("%s: %s, record %d: %s", shown, u.Why, u.Record.Position, reason)
			s.story.detail("to do: %s", u.ToDo())
		}
		out = append(out, name)
	}
	return out, nil
}

func mendedUpload(now time.Time) ([]byte, error) {
	u := cpis.Upload{
		CreationTime: now, FileID: "1044", Quantity: 1,
		Organisation: cpis.Organisation{ODSCode: "999", Name: "TESTSHIRE COUNTY COUNCIL",
			Telecoms: []cpis.Telecom{{Use: "WP", Value: "tel:01632960001"}, {Use: "EC", Value: "tel:01632960002"}}},
		Records: []cpis.UploadRecord{{Plan: cpis.Plan{Kind: cpis.PlanChildProtection, Start: "202602280000"}, Subject: cpis.Subject{
			NHSNumber: eliNumber, LocalID: "LA-1005", AssigningAuthority: "999:TESTSHIRE COUNTY COUNCIL", Given: "Eli", Family: "Testfive", BirthTime: "20190228",
		}}},
	}
	var buf bytes.Buffer
	err := cpis.EncodeUpload(&buf, u)
	return buf.Bytes(), err
}
