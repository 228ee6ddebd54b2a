// Package twin is a local Personal Demographics Service with synthetic patients: for the demo, for tests and for suppliers.
//
// It answers as the published specification of the PDS FHIR API says (NHSDigital/personal-demographics-service-api): reading by NHS number, the
// search for a single match, superseded, restricted and invalidated records, error codes, and the token endpoint of signed-JWT access. It can
// be told to go wrong. It knows nobody: the tests and demo put in patients with NHS numbers of the 999 range.
package twin

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"signalbox/fhir"
)

// The paths under which the twin answers.
const (
	BasePath  = "/personal-demographics/FHIR/R4"
	TokenPath = "/oauth2/token"
)

// Patient is one synthetic record.
type Patient struct {
	NHSNumber    string `json:"nhsNumber"`
	Given        string `json:"given,omitempty"` // given names, a blank between
	Family       string `json:"family,omitempty"`
	BirthDate    string `json:"birthDate,omitempty"`
	Former       string `json:"former,omitempty"`       // an earlier family name
	Security     string `json:"security,omitempty"`     // U when empty
	Verification string `json:"verification,omitempty"` // 01 when empty
	SupersededBy string `json:"supersededBy,omitempty"` // answered with that patient's record
	Invalidated  bool   `json:"invalidated,omitempty"`
	Version      int    `json:"version,omitempty"` // 1 when 0
}

// ReadPatients reads a JSON array of patients. Unknown keys, numbers outside the 999 range and repeated numbers are refused.
func ReadPatients(r io.Reader) ([]Patient, error) {
	dec := json.NewDecoder(io.LimitReader(r, 4<<20))
	dec.DisallowUnknownFields()
	var all []Patient
	if err := dec.Decode(&all); err != nil {
		return nil, errors.New("patients of the twin: no JSON array of patients")
	}
	seen := map[string]bool{}
	for i, p := range all {
		if len(p.NHSNumber) != 10 || !strings.HasPrefix(p.NHSNumber, "999") || seen[p.NHSNumber] {
			return nil, fmt.Errorf("patients of the twin: entry %d: its NHS number is repeated, or not ten digits of the synthetic 999 range", i)
		}
		seen[p.NHSNumber] = true
	}
	return all, nil
}

// Fault is something that goes wrong on purpose with the next requests.
type Fault struct {
	Times      int           // how many requests; 0: all from now on
	Token      bool          // requests of tokens and not those of patients
	Delay      time.Duration // before the answer
	Status     int           // answered in the place of the real answer, with Body
	RetryAfter string        // header that goes with Status
	Body       string
	Cut        bool // the connection breaks in the middle of the answer
}

// Config is the twin's configuration.
type Config struct {
	Patients []Patient
	Key      *rsa.PublicKey // who asks signs with its private half; nil: no token is asked for, as in the published sandbox
	KeyID    string
	ClientID string
	Audience string
	Life     time.Duration    // of a token; 0: ten minutes
	Now      func() time.Time // nil: time.Now
}

// Server is the twin. It is an http.Handler and safe for concurrent use.
type Server struct {
	cfg Config

	mu       sync.Mutex
	patients map[string]Patient
	tokens   map[string]time.Time // token -> its end
	used     map[string]bool      // jti
	faults   []Fault
	seen     []Seen
}

// Seen is one request as it came in, for tests.
type Seen struct {
	Token         bool
	RequestID     string
	CorrelationID string
	Status        int // 0: it never had an answer
}

// New returns a twin with its patients.
func New(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Life == 0 {
		cfg.Life = 10 * time.Minute
	}
	s := &Server{cfg: cfg, patients: map[string]Patient{}, tokens: map[string]time.Time{}, used: map[string]bool{}}
	for _, p := range cfg.Patients {
		s.Put(p)
	}
	return s
}

// Put puts in a patient, or another version of one.
func (s *Server) Put(p Patient) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Version = max(p.Version, s.patients[p.NHSNumber].Version+1)
	s.patients[p.NHSNumber] = p
}

// Break adds a fault; faults happen one after the other in the order in which they were added.
func (s *Server) Break(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// Mend takes all faults away.
func (s *Server) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Revoke ends every token before its time.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// Requests returns what came in so far.
func (s *Server) Requests() []Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Seen(nil), s.seen...)
}

// fault takes the next fault that is for such a request.
func (s *Server) fault(token bool) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faults {
		f := &s.faults[i]
		if f.Token != token {
			continue
		}
		out := *f
		if f.Times == 1 {
			s.faults = append(s.faults[:i], s.faults[i+1:]...)
		} else if f.Times > 1 {
			f.Times--
		}
		return out, true
	}
	return Fault{}, false
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Path == TokenPath
	a := answer{status: http.StatusOK, header: http.Header{}}
	f, broken := s.fault(token)
	if f.Delay > 0 && !wait(r, f.Delay) {
		return
	}
	switch {
	case broken && f.Status != 0:
		a.status, a.body = f.Status, []byte(f.Body)
		if f.RetryAfter != "" {
			a.header.Set("Retry-After", f.RetryAfter)
		}
	case token:
		a = s.grant(r)
	default:
		a = s.demographics(r)
	}
	s.mu.Lock()
	s.seen = append(s.seen, Seen{token, r.Header.Get("X-Request-ID"), r.Header.Get("X-Correlation-ID"), a.status})
	s.mu.Unlock()
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("X-Request-ID", r.Header.Get("X-Request-ID"))
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	if f.Cut {
		_, _ = w.Write(a.body[:len(a.body)/2]) // the connection breaks whatever became of it
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(a.body) // a client that has gone is its own matter
}

func wait(r *http.Request, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// refuse is an OperationOutcome with a published code.
func refuse(status int, code string) answer {
	body := fmt.Sprintf(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"value","details":{"coding":[{"system":`+
		`"https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode","version":"1","code":%q}]}}]}`, code)
	return answer{status: status, header: http.Header{"Content-Type": {fhir.MediaType}}, body: []byte(body)}
}

// demographics answers what is asked about patients, headers first.
func (s *Server) demographics(r *http.Request) answer {
	path, under := strings.CutPrefix(r.URL.Path, BasePath+"/Patient")
	switch {
	case !under || r.Method != http.MethodGet:
		return refuse(http.StatusNotFound, "UNSUPPORTED_SERVICE")
	case !s.admitted(r.Header.Get("Authorization")):
		return refuse(http.StatusUnauthorized, "ACCESS_DENIED")
	case uuid.Validate(r.Header.Get("X-Request-ID")) != nil:
		return refuse(http.StatusBadRequest, "MISSING_VALUE")
	case path == "":
		return s.search(r)
	}
	return s.read(strings.TrimPrefix(path, "/"), r.Header.Get("If-None-Match"))
}

func (s *Server) read(number, known string) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !checked(number) {
		return refuse(http.StatusBadRequest, "INVALID_RESOURCE_ID")
	}
	p, ok := s.patients[number]
	for hops := 0; ok && p.SupersededBy != "" && hops < 8; hops++ {
		p, ok = s.patients[p.SupersededBy]
	}
	switch {
	case !ok:
		return refuse(http.StatusNotFound, "RESOURCE_NOT_FOUND")
	case p.Invalidated:
		return refuse(http.StatusNotFound, "INVALIDATED_RESOURCE")
	}
	tag := fmt.Sprintf(`W/"%d"`, p.Version)
	header := http.Header{"Content-Type": {fhir.MediaType}, "Etag": {tag}}
	if known == tag {
		return answer{status: http.StatusNotModified, header: header}
	}
	return answer{status: http.StatusOK, header: header, body: p.resource()}
}

// checked reports whether a number has ten digits and the right check digit (modulus 11).
func checked(number string) bool {
	if len(number) != 10 {
		return false
	}
	sum := 0
	for i, d := range number {
		if d < '0' || d > '9' {
			return false
		}
		if i < 9 {
			sum += int(d-'0') * (10 - i)
		}
	}
	check := (11 - sum%11) % 11
	return check != 10 && int(number[9]-'0') == check
}
