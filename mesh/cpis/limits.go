package cpis

import "errors"

// Limits bound what a decoder will hold or walk. A zero field takes its value
// from [Default]; a breach is a file-level fault that ends decoding.
type Limits struct {
	MaxBytes      int // size of the file
	MaxDepth      int // open elements, File being 1
	MaxAttributes int // attributes and namespace declarations of one element
	MaxValueBytes int // one attribute value, or the text of one element
	MaxElements   int // elements in the header, and in each record
	MaxRecords    int // records in a file
	MaxFaults     int // faults kept for one record
}

// Default gives limits that are generous for a real upload (about 0.9 KB a
// record) and small for an attack.
func Default() Limits {
	return Limits{
		MaxBytes: 64 << 20, MaxDepth: 32, MaxAttributes: 32, MaxValueBytes: 16 << 10,
		MaxElements: 512, MaxRecords: 200_000, MaxFaults: 20,
	}
}

// Validate reports every negative limit.
func (l Limits) Validate() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value int
	}{
		{"MaxBytes", l.MaxBytes}, {"MaxDepth", l.MaxDepth}, {"MaxAttributes", l.MaxAttributes},
		{"MaxValueBytes", l.MaxValueBytes}, {"MaxElements", l.MaxElements},
		{"MaxRecords", l.MaxRecords}, {"MaxFaults", l.MaxFaults},
	} {
		if f.value < 0 {
			errs = append(errs, errors.New("cpis: limits: "+f.name+": is negative"))
		}
	}
	return errors.Join(errs...)
}

func (l Limits) filled() Limits {
	d := Default()
	fill := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	fill(&l.MaxBytes, d.MaxBytes)
	fill(&l.MaxDepth, d.MaxDepth)
	fill(&l.MaxAttributes, d.MaxAttributes)
	fill(&l.MaxValueBytes, d.MaxValueBytes)
	fill(&l.MaxElements, d.MaxElements)
	fill(&l.MaxRecords, d.MaxRecords)
	fill(&l.MaxFaults, d.MaxFaults)
	return l
}
