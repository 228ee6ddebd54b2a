package engine

import "time"

// The wire types are the JSON form of event data, published as event.schema.json. They alone reveal personal data.

type wireDate struct {
	Value string `json:"value"` // ISO 8601 date, with hours and minutes where the sender gave them
	Sent  string `json:"sent"`  // as sent
}

type wireSubject struct {
	NHSNumber string    `json:"nhsNumber"`
	BirthDate *wireDate `json:"birthDate,omitempty"`
	Given     string    `json:"given,omitempty"`
	Family    string    `json:"family,omitempty"`
}

type wirePlan struct {
	Type      PlanType  `json:"type"`
	Start     *wireDate `json:"start"`
	End       *wireDate `json:"end,omitempty"`
	Withdrawn *wireDate `json:"withdrawn,omitempty"`
}

type wireAuthority struct {
	ODSCode       string `json:"odsCode"`
	Name          string `json:"name"`
	OfficeHours   string `json:"officeHours,omitempty"`
	EmergencyDuty string `json:"emergencyDuty,omitempty"`
}

type wireFlag struct {
	Subject   wireSubject   `json:"subject"`
	Plan      wirePlan      `json:"plan"`
	Authority wireAuthority `json:"authority"`
	LocalID   string        `json:"localId,omitempty"`
	FileID    string        `json:"fileId,omitempty"`
}

type wireOrganisation struct {
	ODSCode string `json:"odsCode"`
	Name    string `json:"name,omitempty"`
}

type wirePerson struct {
	UserID      string `json:"userId"`
	RoleProfile string `json:"roleProfile,omitempty"`
	RoleCode    string `json:"roleCode,omitempty"`
	RoleName    string `json:"roleName,omitempty"`
	Name        string `json:"name,omitempty"`
}

type wireActor struct {
	Person       *wirePerson      `json:"person,omitempty"`
	DeviceID     string           `json:"deviceId,omitempty"`
	Organisation wireOrganisation `json:"organisation"`
}

type wireAccess struct {
	ID        string      `json:"id"`
	Subject   wireSubject `json:"subject"`
	At        time.Time   `json:"at"`
	Scheduled bool        `json:"scheduled"`
	By        wireActor   `json:"by"`
	Setting   CareSetting `json:"setting,omitempty"`
}

type wireInactive struct {
	Old          string   `json:"old"`
	Replacements []string `json:"replacements"`
}

func (w *wireDate) date() (Date, error) {
	if w == nil {
		return Date{}, nil
	}
	c, err := parseISO(w.Value)
	if err != nil {
		return Date{}, err
	}
	return newDate(c, w.Sent)
}

func (w wireSubject) subject() (Subject, error) {
	n, err := ParseNHSNumber(w.NHSNumber)
	if err != nil {
		return Subject{}, badField("data.subject.nhsNumber", err)
	}
	born, err := w.BirthDate.date()
	if err != nil {
		return Subject{}, badField("data.subject.birthDate", err)
	}
	return Subject{NHSNumber: n, BirthDate: born, Given: Personal(w.Given), Family: Personal(w.Family)}, nil
}

func (w wireFlag) flag() (*Flag, error) {
	s, err := w.Subject.subject()
	if err != nil {
		return nil, err
	}
	f := &Flag{Subject: s, Authority: Authority(w.Authority), LocalID: Personal(w.LocalID), FileID: w.FileID}
	f.Plan.Type = w.Plan.Type
	if !f.Plan.Type.Valid() {
		return nil, badEvent("data.plan.type is unknown")
	}
	for _, d := range []struct {
		to   *Date
		from *wireDate
		name string
	}{{&f.Plan.Start, w.Plan.Start, "start"}, {&f.Plan.End, w.Plan.End, "end"}, {&f.Plan.Withdrawn, w.Plan.Withdrawn, "withdrawn"}} {
		if *d.to, err = d.from.date(); err != nil {
			return nil, badField("data.plan."+d.name, err)
		}
	}
	return f, nil
}

func (w wireAccess) access() (*Access, error) {
	s, err := w.Subject.subject()
	if err != nil {
		return nil, err
	}
	a := &Access{
		ID: w.ID, Subject: s, At: w.At, Scheduled: w.Scheduled, Setting: w.Setting,
		By: Actor{DeviceID: w.By.DeviceID, Organisation: Organisation(w.By.Organisation)},
	}
	if p := w.By.Person; p != nil {
		a.By.Person = &Person{UserID: p.UserID, RoleProfile: p.RoleProfile, RoleCode: p.RoleCode, RoleName: p.RoleName, Name: Personal(p.Name)}
	}
	return a, nil
}

func (w wireInactive) inactive() (*NumberInactive, error) {
	old, err := ParseNHSNumber(w.Old)
	if err != nil {
		return nil, badField("data.old", err)
	}
	n := &NumberInactive{Old: old}
	for _, r := range w.Replacements {
		replacement, err := ParseNHSNumber(r)
		if err != nil {
			return nil, badField("data.replacements", err)
		}
		n.Replacements = append(n.Replacements, replacement)
	}
	return n, nil
}
