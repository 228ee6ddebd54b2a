package sampled

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"signalbox/engine"
)

// phones is /record/phone[] with a use and a number, seen three times.
func phones(uses ...string) (root, phone *Node) {
	root = &Node{}
	phone = root.Child("record").Child("phone")
	phone.Many = true
	for i, use := range uses {
		phone.Child("@Use").See(use)
		phone.Child("number").See(fmt.Sprint("01632 96000", i))
	}
	return root, phone
}

func TestElements(t *testing.T) {
	root, phone := phones("duty", "office", "duty")
	if again := root.Child("record").Child("phone"); again != phone || phone.In.Name != "record" {
		t.Error("a name is another node when it is asked for again")
	}
	got := root.Elements()
	want := []engine.Element{{Name: "record", Children: []engine.Element{{Name: "phone", Many: true, Children: []engine.Element{{Name: "@Use"}, {Name: "number"}}}}}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	if rest := phone.Without(phone.Children[0]); len(rest.Children) != 1 || rest.Children[0].Name != "number" || len(phone.Children) != 2 {
		t.Errorf("%v and %v", rest.Children, phone.Children)
	}
}

// What tells items apart is a few short words that need no escape in a selector's quotes.
func TestDiscriminator(t *testing.T) {
	nine := strings.Split("a b c d e f g h i", " ")
	for name, tt := range map[string]struct{ uses, want []string }{
		"words":        {[]string{"office", "duty", "office"}, []string{"duty", "office"}},
		"numbers":      {[]string{"1", "2"}, nil},
		"quotes":       {[]string{"it's", "duty"}, nil},
		"a long text":  {[]string{strings.Repeat("x", maxTextLen+1)}, nil},
		"too many":     {nine, nil},
		"nothing":      {nil, nil},
		"one and only": {[]string{"duty"}, []string{"duty"}},
	} {
		_, phone := phones(tt.uses...)
		tells, texts := phone.Discriminator("@kind", "@use")
		if !slices.Equal(texts, tt.want) || (tells == nil) != (tt.want == nil) {
			t.Errorf("%s: %v", name, texts)
		}
	}
}

func TestFields(t *testing.T) {
	root, phone := phones("duty")
	f := &Fields{}
	if f.Holds(phone) {
		t.Error("without records nothing holds them")
	}
	f.Stop = phone
	if !f.Holds(root) || !f.Holds(phone) || f.Holds(phone.Children[0]) {
		t.Error("the records stand elsewhere")
	}
	f.Add("a/b", []string{"a", "b"})
	f.Add("a/c", []string{"a", "b"})
	if len(f.All) != 2 || f.All[0].Name != "a_b" || f.All[1].Name != "a_b_2" || f.All[1].Select != "a/c" {
		t.Errorf("%+v", f.All)
	}
}
