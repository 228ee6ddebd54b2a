package mappings

import (
	"errors"
	"strconv"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"signalbox/engine"
)

// What expressions see.
const (
	rowName     = "row"
	messageName = "message"
	rowType     = "signalbox.Row"
	messageType = "signalbox.Message"
)

func messageFields() []string { return []string{"id", "from", "workflowId", "localId"} }

// provider teaches CEL the type of row and message. A field is read when the expression asks for it and not before.
type provider struct {
	types.Provider
	names  map[string][]string
	fields map[string]map[string]*types.FieldType
}

func newProvider(base types.Provider, s *source) *provider {
	p := &provider{Provider: base, names: map[string][]string{}, fields: map[string]map[string]*types.FieldType{rowType: {}, messageType: {}}}
	for _, name := range messageFields() {
		p.add(messageType, name, &types.FieldType{
			Type:    cel.StringType,
			IsSet:   func(any) bool { return true },
			GetFrom: func(o any) (any, error) { return o.(*view).messageField(name), nil },
		})
	}
	for _, f := range s.fields {
		p.add(rowType, f.Name, &types.FieldType{
			Type:    f.celType(),
			IsSet:   func(o any) bool { return o.(*view).isSet(f) },
			GetFrom: func(o any) (any, error) { return o.(*view).read(f) },
		})
	}
	return p
}

func (p *provider) add(object, name string, f *types.FieldType) {
	p.names[object] = append(p.names[object], name)
	p.fields[object][name] = f
}

// FindStructType knows row and message besides CEL's own types.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if _, ours := p.fields[name]; ours {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames lists the declared fields.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	if names, ours := p.names[name]; ours {
		return names, true
	}
	return p.Provider.FindStructFieldNames(name)
}

// FindStructFieldType finds a declared field.
func (p *provider) FindStructFieldType(object, name string) (*types.FieldType, bool) {
	if fields, ours := p.fields[object]; ours {
		f, ok := fields[name]
		return f, ok
	}
	return p.Provider.FindStructFieldType(object, name)
}

// celType is the field's type in expressions. A date is a timestamp of its day at 00:00 UTC.
func (f *field) celType() *cel.Type {
	t := cel.StringType
	switch f.Type {
	case engine.TypeInteger:
		t = cel.IntType
	case engine.TypeNumber:
		t = cel.DoubleType
	case engine.TypeBoolean:
		t = cel.BoolType
	case engine.TypeDate:
		return cel.TimestampType // accepts null as it is
	}
	if f.Nullable {
		return cel.NullableType(t)
	}
	return t
}

// errField stops an evaluation; the fault itself is in the view.
var errField = errors.New("a field does not fit its declaration")

// view is what one evaluation sees: the record and the message. It is also the evaluation's activation.
type view struct {
	msg    *engine.Message
	record engine.Record
	found  []engine.Value // scratch
	fault  *engine.Error  // of the last field that could not be read
	broken *engine.Error  // of the first field whose selector could not be worked out
}

// ResolveName finds row and message; both are the view, of which each type sees its own fields.
func (v *view) ResolveName(name string) (any, bool) {
	return v, name == rowName || name == messageName
}

// Parent is none.
func (v *view) Parent() cel.Activation { return nil }

func (v *view) messageField(name string) types.String {
	switch name {
	case "id":
		return types.String(v.msg.ID)
	case "from":
		return types.String(v.msg.From)
	case "workflowId":
		return types.String(v.msg.WorkflowID)
	}
	return types.String(v.msg.LocalID)
}

func (v *view) isSet(f *field) bool {
	if f.plain != nil {
		return trim(f.plain.Text(v.record)) != ""
	}
	if v.find(f) != nil {
		return false
	}
	_, _, err := pick(v.found, true)
	return err == nil
}

// find asks a field's selector. One that cannot be worked out stops the evaluation, also where CEL would go on without the field.
func (v *view) find(f *field) (err error) {
	if v.found, err = engine.Select(f.selector, v.record, v.found[:0]); err != nil && v.broken == nil {
		v.broken = selectorFault("row."+f.Name, err)
	}
	return err
}

// read returns a field's value in CEL's types, null where a nullable field is absent or empty.
func (v *view) read(f *field) (any, error) {
	text, at, err := v.pick(f)
	switch {
	case errors.Is(err, errField):
		return nil, err
	case errors.Is(err, errAbsent) && f.Nullable:
		return types.NullValue, nil
	case errors.Is(err, errAbsent):
		return nil, v.fail(f, engine.RuleMandatory, at, err)
	case err != nil:
		return nil, v.fail(f, engine.RuleMany, at, err)
	}
	if rule, err := f.check(text); err != nil {
		return nil, v.fail(f, rule, at, err)
	}
	return f.toCEL(text), nil
}

// pick finds a field's one value, with its place where the selector gives it for nothing.
func (v *view) pick(f *field) (text string, at engine.Place, err error) {
	if f.plain == nil {
		if v.find(f) != nil {
			return "", at, errField
		}
		return pick(v.found, false)
	}
	if text = trim(f.plain.Text(v.record)); text == "" {
		return "", at, errAbsent
	}
	return text, at, nil
}

func (v *view) fail(f *field, rule string, at engine.Place, cause error) error {
	if f.plain != nil {
		v.found = f.selector.Select(v.record, v.found[:0])
		_, at, _ = pick(v.found, true)
	}
	v.fault = newFault(rule, "row."+f.Name, placed(at, v.record, f.Selector()), cause)
	return errField
}

// toCEL converts text that check has passed.
func (f *field) toCEL(text string) ref.Val {
	switch f.Type {
	case engine.TypeInteger:
		n, _ := strconv.ParseInt(text, 10, 64)
		return types.Int(n)
	case engine.TypeNumber:
		n, _ := strconv.ParseFloat(text, 64)
		return types.Double(n)
	case engine.TypeBoolean:
		return types.Bool(text == "true")
	case engine.TypeDate:
		d, _ := f.layout.Parse(text)
		return types.Timestamp{Time: d.Time(time.UTC)}
	}
	return types.String(text)
}
