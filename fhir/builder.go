package fhir

import "fmt"

// builder is what both readers share: the arena of nodes, the limits and the faults found so far.
type builder struct {
	data   []byte
	limits Limits
	table  *elementTable
	doc    *Document
	arena  []Node
	nodes  int
	faults Faults
	halted bool
}

// node takes the next node from the arena. Chunks keep earlier pointers good.
func (b *builder) node(parent *Node, name string, index int) *Node {
	b.nodes++
	if len(b.arena) == 0 {
		b.arena = make([]Node, min(256, 32+len(b.data)/32))
	}
	n := &b.arena[0]
	b.arena = b.arena[1:]
	n.parent, n.name, n.index, n.doc = parent, name, int32(index), b.doc
	return n
}

// attach hangs a child behind its last sibling and keeps the count of nodes.
func (b *builder) attach(n, last, c *Node, offset int) *Node {
	if last == nil {
		n.first = c
	} else {
		last.next = c
	}
	if b.nodes > b.limits.MaxNodes {
		b.stop(RuleNodes, offset, n, fmt.Sprintf("the document holds more than %d values", b.limits.MaxNodes))
	}
	return c
}

// admit refuses what is over the limit of size or starts with a byte order mark.
func (b *builder) admit() bool {
	if len(b.data) > b.limits.MaxBytes {
		b.stop(RuleSize, b.limits.MaxBytes, nil, fmt.Sprintf("the document is over the limit of %d bytes", b.limits.MaxBytes))
	} else if len(b.data) > 2 && string(b.data[:3]) == "\xef\xbb\xbf" {
		b.stop(RuleBOM, 0, nil, "the document starts with a byte order mark; leave it out")
	}
	return !b.halted
}

// stop records a fault after which nothing is read.
func (b *builder) stop(rule string, offset int, n *Node, text string) {
	if !b.halted {
		_ = b.record(rule, offset, n, text)
	}
	b.halted = true
}

// fault records a fault and reads on.
func (b *builder) fault(rule string, offset int, n *Node, text string) {
	if len(b.faults) < maxFaults && !b.halted {
		_ = b.record(rule, offset, n, text)
	}
}

func (b *builder) record(rule string, offset int, n *Node, text string) *Fault {
	f := &Fault{Rule: rule, Offset: int64(offset), Text: text}
	if n != nil {
		f.Path = n.Path()
	}
	f.Line, f.Column = position(b.data, f.Offset)
	b.faults = append(b.faults, f)
	return f
}
