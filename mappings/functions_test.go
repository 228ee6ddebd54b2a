package mappings

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"cel.dev/cel-go/common/types"

	"signalbox/engine"
)

// TestFunctionExamples evaluates every example of every function in the environment that mappings have.
func TestFunctionExamples(t *testing.T) {
	env, err := newEnvironment(&source{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range functions() {
		if len(f.Examples) == 0 || f.Meaning == "" {
			t.Errorf("%s has no example or no meaning", f.Name)
		}
		for _, e := range f.Examples {
			tree, issues := env.Compile(e.Of)
			if issues.Err() != nil {
				t.Errorf("%s: %v", e.Of, issues.Err())
				continue
			}
			program, err := env.Program(tree)
			if err != nil {
				t.Fatal(err)
			}
			out, _, err := program.Eval(map[string]any{})
			switch {
			case err != nil && e.Makes == "":
			case err != nil || fmt.Sprint(out.Value()) != e.Makes:
				t.Errorf("%s makes %v, %v; want %s", e.Of, out, err, e.Makes)
			case types.IsError(out):
				t.Errorf("%s: %v", e.Of, out)
			}
		}
	}
}

// TestConversionExamples converts every example of every conversion.
func TestConversionExamples(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, f := range Conversions() {
		if !slices.Contains(named, f.Name) {
			named = append(named, f.Name)
		}
		convert := newConversion(kind(f.Name), engine.MustLayout("dd/MM/yyyy"))
		if f.Usage != f.Name && kind(f.Name) == kindInstant {
			convert = newInstant(engine.MustLayout("yyyyMMddHHmm"), london)
		}
		for _, e := range f.Examples {
			var v value
			err := convert.read(trim(e.Of), &v)
			if (err != nil) != (e.Makes == "") || err == nil && shown(kind(f.Name), v) != e.Makes {
				t.Errorf("%s of %q: %q, %v", f.Usage, e.Of, shown(kind(f.Name), v), err)
			}
		}
	}
	if !slices.Equal(named, conversionNames()) {
		t.Errorf("described are %v, known are %v", named, conversionNames())
	}
}
