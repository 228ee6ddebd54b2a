package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"signalbox/engine"
	"signalbox/engine/store"
	"signalbox/fhir"
	"signalbox/fhir/api/subscription"
)

// Subscriptions lets receivers of authorities subscribe to access to service notifications.
type Subscriptions struct {
	Topic     string              // canonical URL of the one topic
	Endpoints map[string][]string // that each receiver may name, by the client's name
	Record    SubscriptionRecord
}

// SubscriptionRecord keeps subscriptions. *store.Store is one; its methods say what they do.
type SubscriptionRecord interface {
	CreateSubscription(ctx context.Context, s store.Subscription) (created bool, err error)
	Subscription(ctx context.Context, id string) (store.Subscription, error)
	EndSubscription(ctx context.Context, id string) error
	ToldTo(ctx context.Context, subscription, effect string, first, last, limit int) ([]store.Told, error)
}

func (s *Subscriptions) validate() error {
	if s == nil {
		return nil
	}
	var errs []error
	if u, err := url.Parse(s.Topic); err != nil || u.Scheme == "" || u.Host == "" {
		errs = append(errs, errors.New("fhir api: config: Subscriptions.Topic is not an absolute URL"))
	}
	if s.Record == nil {
		errs = append(errs, errors.New("fhir api: config: Subscriptions.Record is missing"))
	}
	for name, all := range s.Endpoints {
		if len(all) == 0 {
			errs = append(errs, fmt.Errorf("fhir api: config: receiver %s has no endpoint", name))
		}
	}
	return errors.Join(errs...)
}

const subscriptionPath = "/Subscription"

// onePattern is the path of one subscription.
const onePattern = subscriptionPath + "/{id}"

// serveOne answers a call about one subscription, which is the caller's own.
type serveOne func(*http.Request, *Client, store.Subscription) reply

// subscriptionRoutes are the routes of receivers.
func (s *Server) subscriptionRoutes() []route {
	// The canonical URLs of the guide's operations, as its version 1.1.0 publishes them (hl7.org/fhir/uv/subscriptions-backport).
	const definition = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-"
	about := func(interactions ...string) statement {
		return statement{resource: "Subscription", interactions: interactions, profile: subscription.ProfileSubscription,
			text: "an authority's system takes access to service notifications over HTTP: one subscription an authority, channel rest-hook, topic " + s.cfg.Subscriptions.Topic}
	}
	operation := func(name string) statement {
		return statement{resource: "Subscription", operation: name, definition: definition + name}
	}
	return []route{
		{pattern: subscriptionPath, method: http.MethodPost, right: receives, serve: s.subscribe, says: about("create")},
		{pattern: onePattern, method: http.MethodGet, right: receives, one: s.showSubscription, says: about("read")},
		{pattern: onePattern, method: http.MethodDelete, right: receives, one: s.unsubscribe, says: about("delete")},
		{pattern: onePattern + "/$status", method: http.MethodGet, right: receives, one: s.subscriptionStatus, says: operation("status")},
		{pattern: onePattern + "/$events", method: http.MethodGet, right: receives, one: s.subscriptionEvents, says: operation("events")},
	}
}

// subscriptionRoute finds the route of a path that names a subscription. Of one path with several methods it is that of the request's, else
// the first.
func (s *Server) subscriptionRoute(r *http.Request) (route, bool) {
	rest, found := strings.CutPrefix(r.URL.Path, s.cfg.BasePath+subscriptionPath+"/")
	id, operation, more := strings.Cut(rest, "/")
	if !found || s.cfg.Subscriptions == nil || !isUUID(id) {
		return route{}, false
	}
	pattern := onePattern
	if more {
		pattern += "/" + operation
	}
	var out route
	for _, one := range s.subscriptionRoutes() {
		if one.pattern == pattern && (out.one == nil || one.method == r.Method) {
			out = one
		}
	}
	if out.one == nil {
		return route{}, false
	}
	out.serve = func(r *http.Request, c *Client) reply {
		found, err := s.cfg.Subscriptions.Record.Subscription(r.Context(), strings.ToLower(id))
		if engine.KindOf(err) == engine.NotFound && err != nil || err == nil && found.Client != c.Name {
			return refusal(http.StatusNotFound, "not-found", codeNotFound, "Resource not found", "this client has no such subscription")
		}
		if err != nil {
			return s.fromDesk(err)
		}
		return out.one(r, c, found)
	}
	return out, true
}

// receives is the right of a receiver.
func receives(c *Client) bool { return c.Authority != "" }

// subscribe takes a Subscription. It is requested until the endpoint has answered a handshake; until then, and whenever it is in error, its
// authority is told over MESH.
func (s *Server) subscribe(r *http.Request, c *Client) reply {
	_, doc, refused := s.resource(r)
	if refused != nil {
		return *refused
	}
	wanted, issues := subscription.Read(doc, subscription.Rules{Topic: s.cfg.Subscriptions.Topic, Endpoints: s.cfg.Subscriptions.Endpoints[c.Name], Now: s.now()})
	if len(issues) > 0 {
		for i := range issues {
			issues[i].Code, issues[i].Display = codeUnsupportedVal, "Unsupported value"
		}
		return reply{status: http.StatusUnprocessableEntity, body: fhir.Outcome(issues...)}
	}
	wanted.ID, wanted.Authority, wanted.Client, wanted.State = strings.ToLower(s.newID()), c.Authority, c.Name, store.SubscriptionRequested
	created, err := s.cfg.Subscriptions.Record.CreateSubscription(r.Context(), wanted)
	switch {
	case err != nil:
		return s.fromDesk(err)
	case !created:
		return refusal(http.StatusConflict, "conflict", codeValidation, "Validation error", "the authority has a subscription: delete it first")
	}
	made := reply{status: http.StatusCreated, body: subscription.Write(wanted, s.cfg.Subscriptions.Topic)}
	return preferred(wants(r), made, "the subscription is requested: its endpoint is sent a handshake").with("Location", s.base()+subscriptionPath+"/"+wanted.ID)
}

// base is the server's address as clients see it.
func (s *Server) base() string {
	if s.cfg.PublicURL == "" {
		return s.cfg.BasePath
	}
	return s.cfg.PublicURL
}

func (s *Server) showSubscription(_ *http.Request, _ *Client, found store.Subscription) reply {
	return ok(subscription.Write(found, s.cfg.Subscriptions.Topic))
}

func (s *Server) unsubscribe(r *http.Request, _ *Client, found store.Subscription) reply {
	if err := s.cfg.Subscriptions.Record.EndSubscription(r.Context(), found.ID); err != nil {
		return s.fromDesk(err)
	}
	return reply{status: http.StatusNoContent}
}

func (s *Server) subscriptionStatus(_ *http.Request, _ *Client, found store.Subscription) reply {
	return ok(s.writer().StatusSearchset(found))
}

func (s *Server) writer() subscription.Writer {
	return subscription.Writer{Base: s.base(), Topic: s.cfg.Subscriptions.Topic}
}

// maxEvents is how many events one answer of $events holds.
const maxEvents = 100

// subscriptionEvents answers $events: what was told under the numbers that are asked for, so that a receiver can fill a gap or learn what
// an id stood for.
func (s *Server) subscriptionEvents(r *http.Request, _ *Client, found store.Subscription) reply {
	asked := r.URL.Query()
	first, last, content := 1, math.MaxInt32, found.Content
	for name, values := range asked {
		n, err := strconv.Atoi(values[0])
		switch {
		case len(values) == 1 && name == "eventsSinceNumber" && err == nil:
			first = n
		case len(values) == 1 && name == "eventsUntilNumber" && err == nil:
			last = n
		case len(values) == 1 && name == "content" && (values[0] == subscription.IDOnly || values[0] == subscription.FullResource):
			content = values[0]
		case name != "_format":
			return invalidSearch("the parameters are eventsSinceNumber, eventsUntilNumber, and content: id-only or full-resource")
		}
	}
	told, err := s.cfg.Subscriptions.Record.ToldTo(r.Context(), found.ID, "", first, last, maxEvents)
	if err != nil {
		return s.fromDesk(err)
	}
	return ok(s.writer().Notification(subscription.Query, found, told, content))
}
