// Package subscription is the FHIR shape of a topic-based subscription in R4: what a receiver asks for and what it is told.
//
// The shape is that of HL7's "Subscriptions R5 Backport" guide (hl7.fhir.uv.subscriptions-backport 1.1.0) for R4: the topic's canonical URL
// in Subscription.criteria, SubscriptionStatus as Parameters, notifications as Bundles of type history. This room reads and writes resources
// and does no I/O.
package subscription

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"signalbox/engine/hook"
	"signalbox/engine/store"
	"signalbox/fhir"
)

// Profiles and extensions of the Backport guide.
const (
	guide = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"

	ProfileSubscription = guide + "backport-subscription"
	ProfileNotification = guide + "backport-subscription-notification-r4"
	ProfileStatus       = guide + "backport-subscription-status-r4"

	extensionContent   = guide + "backport-payload-content"
	extensionHeartbeat = guide + "backport-heartbeat-period"
)

// Kinds of content (code system backport-content-code-system).
const (
	IDOnly       = "id-only"
	FullResource = "full-resource"
)

// Bounds of what a receiver may ask for.
const (
	minHeartbeat = time.Minute
	maxHeartbeat = 24 * time.Hour
	maxHeaders   = 8
)

// Rules are what a Subscription is held to.
type Rules struct {
	Topic     string   // the one canonical that can be subscribed to
	Endpoints []string // that this receiver may name
	Now       time.Time
}

// Read reads a Subscription that a receiver wants. What it asks for that is not offered is refused, each with its place: to leave a filter
// out would tell more than was asked for.
func Read(doc *fhir.Document, rules Rules) (store.Subscription, []fhir.Issue) {
	r := &reader{}
	root := doc.Root()
	if doc.Type() != "Subscription" {
		r.fail("", "structure", "a Subscription is taken here")
		return store.Subscription{}, r.issues
	}
	out := store.Subscription{Why: text(root.Child("reason")), Content: IDOnly}
	r.need(text(root.Child("status")) == "requested", "Subscription.status", "a new subscription is requested")
	r.need(text(root.Child("criteria")) == rules.Topic, "Subscription.criteria", "the one topic that is offered is "+rules.Topic)
	r.need(root.Child("_criteria") == nil, "Subscription.criteria.extension", "filters are not offered: an authority is told of its own children")
	if end := root.Child("end"); end != nil {
		at, err := time.Parse(time.RFC3339, end.Text())
		r.need(err == nil && at.After(rules.Now), "Subscription.end", "the end is an instant in the future")
		out.Expires = at
	}
	r.channel(root.Child("channel"), rules, &out)
	return out, r.issues
}

type reader struct{ issues []fhir.Issue }

func (r *reader) fail(path, kind, why string) {
	r.issues = append(r.issues, fhir.Issue{Severity: fhir.SeverityError, Type: kind, Diagnostics: why, Expression: path})
}

func (r *reader) need(ok bool, path, why string) {
	if !ok {
		r.fail(path, "not-supported", why)
	}
}

func (r *reader) channel(channel *fhir.Node, rules Rules, out *store.Subscription) {
	const at = "Subscription.channel."
	r.need(text(channel.Child("type")) == "rest-hook", at+"type", "the one channel that is offered is rest-hook")
	r.need(channel.Child("_type") == nil, at+"type.extension", "extensions of the channel's type are not offered")
	out.Endpoint = text(channel.Child("endpoint"))
	allowed := false
	for _, e := range rules.Endpoints {
		allowed = allowed || e == out.Endpoint
	}
	r.need(allowed, at+"endpoint", "the configuration allows this receiver no such endpoint")
	r.need(text(channel.Child("payload")) == fhir.MediaType, at+"payload", "the payload is "+fhir.MediaType)
	extensions(channel.Child("_payload"), func(url string, n *fhir.Node) {
		out.Content = text(n.Child("valueCode"))
		r.need(url == extensionContent && (out.Content == IDOnly || out.Content == FullResource), at+"payload.extension", "the content is id-only or full-resource")
	})
	extensions(channel, func(url string, n *fhir.Node) {
		seconds, err := strconv.Atoi(text(n.Child("valueUnsignedInt")))
		out.Heartbeat = time.Duration(seconds) * time.Second
		r.need(url == extensionHeartbeat && err == nil && seconds >= int(minHeartbeat/time.Second) && seconds <= int(maxHeartbeat/time.Second), at+"extension",
			"the one extension that is offered is the heartbeat period, from 60 to 86400 seconds")
	})
	for h := range channel.Child("header").Children {
		out.Headers = append(out.Headers, h.Text())
		if why := hook.HeaderAllowed(h.Text()); why != "" {
			r.fail(at+"header["+strconv.Itoa(len(out.Headers)-1)+"]", "not-supported", "the header "+why)
		}
	}
	r.need(len(out.Headers) <= maxHeaders, at+"header", "there are more than 8 headers")
}

// extensions yields the extensions of an element.
func extensions(n *fhir.Node, each func(url string, n *fhir.Node)) {
	for e := range n.Child("extension").Children {
		each(text(e.Child("url")), e)
	}
}

func text(n *fhir.Node) string {
	if n == nil {
		return ""
	}
	return n.Text()
}

type object = map[string]any

// Write shows a subscription. The values of its headers are the receiver's secrets and stay inside.
func Write(s store.Subscription, topic string) []byte {
	channel := object{"type": "rest-hook", "endpoint": s.Endpoint, "payload": fhir.MediaType,
		"_payload": object{"extension": []object{{"url": extensionContent, "valueCode": s.Content}}}}
	if s.Heartbeat > 0 {
		channel["extension"] = []object{{"url": extensionHeartbeat, "valueUnsignedInt": int(s.Heartbeat / time.Second)}}
	}
	var headers []string
	for _, h := range s.Headers {
		name, _, _ := strings.Cut(h, ":")
		headers = append(headers, name+": [redacted]")
	}
	if len(headers) > 0 {
		channel["header"] = headers
	}
	out := object{"id": s.ID, "meta": object{"profile": []string{ProfileSubscription}}, "status": string(s.State), "reason": s.Why,
		"criteria": topic, "channel": channel}
	if s.Why == "" {
		out["reason"] = "access to service notifications"
	}
	if s.Reason != "" {
		out["error"] = s.Reason
	}
	if !s.Expires.IsZero() {
		out["end"] = s.Expires.UTC().Format(time.RFC3339)
	}
	return resource("Subscription", out)
}

// resource writes a resource with its type in front, where streaming readers want it.
func resource(kind string, o object) json.RawMessage {
	raw, err := json.Marshal(o)
	if err != nil { // strings, numbers and lists cannot fail to encode
		return fhir.Outcome()
	}
	return append([]byte(`{"resourceType":"`+kind+`",`), raw[1:]...)
}
