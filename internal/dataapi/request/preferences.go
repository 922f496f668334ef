package request

import (
	"strconv"
	"strings"
)

// ParsePrefer reads the values of Prefer headers. Of several preferences of one kind the first counts. Whether tx=
// is heard depends on the server; it is no mistake where it isn't.
func ParsePrefer(values []string, txAllowOverride bool) Prefer {
	var p Prefer
	for _, v := range values {
		if v == "" {
			continue
		}
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.TrimSpace(item); !p.set(item) {
				p.Invalid = append(p.Invalid, item)
			}
		}
	}
	if !txAllowOverride {
		p.Tx = DefaultTx
	}
	return p
}

// set takes in one preference, and tells whether it is known.
func (p *Prefer) set(item string) bool {
	switch item {
	case "resolution=merge-duplicates":
		first(&p.Resolution, MergeDuplicates)
	case "resolution=ignore-duplicates":
		first(&p.Resolution, IgnoreDuplicates)
	case "return=representation":
		first(&p.Return, Representation)
	case "return=minimal":
		first(&p.Return, Minimal)
	case "return=headers-only":
		first(&p.Return, HeadersOnly)
	case "count=exact":
		first(&p.Count, Exact)
	case "count=planned":
		first(&p.Count, Planned)
	case "count=estimated":
		first(&p.Count, Estimated)
	case "tx=commit":
		first(&p.Tx, Commit)
	case "tx=rollback":
		first(&p.Tx, Rollback)
	case "missing=default":
		first(&p.Missing, MissingDefault)
	case "missing=null":
		first(&p.Missing, MissingNull)
	case "handling=strict":
		first(&p.Handling, Strict)
	case "handling=lenient":
		first(&p.Handling, Lenient)
	default:
		return p.setValue(item)
	}
	return true
}

// setValue takes in a preference whose value is free.
func (p *Prefer) setValue(item string) bool {
	name, value, ok := strings.Cut(item, "=")
	switch {
	case !ok:
		return false
	case name == "timezone":
		first(&p.Timezone, value)
	case name == "max-affected":
		if n, ok := number(value); ok && !p.HasMaxAffected {
			p.MaxAffected, p.HasMaxAffected = n, true
		}
	default:
		return false
	}
	return true
}

func first[T comparable](to *T, value T) {
	var none T
	if *to == none {
		*to = value
	}
}

// Applied is the value of the Preference-Applied header; empty when no preference was given that has an effect.
func (p Prefer) Applied() string {
	var b []byte
	add := func(s string) {
		if s == "" {
			return
		}
		if len(b) > 0 {
			b = append(b, ", "...)
		}
		b = append(b, s...)
	}
	add(p.Resolution.String())
	add(p.Missing.String())
	add(p.Return.String())
	add(p.Count.String())
	add(p.Tx.String())
	add(p.Handling.String())
	if p.Timezone != "" {
		add("timezone=" + p.Timezone)
	}
	if p.HasMaxAffected && p.Handling == Strict {
		add("max-affected=" + strconv.FormatInt(p.MaxAffected, 10))
	}
	return string(b)
}

// String is the preference as a client writes it; empty for none. So with the others.
func (r Resolution) String() string {
	switch r {
	case MergeDuplicates:
		return "resolution=merge-duplicates"
	case IgnoreDuplicates:
		return "resolution=ignore-duplicates"
	case NoResolution:
	}
	return ""
}

func (r Return) String() string {
	switch r {
	case Representation:
		return "return=representation"
	case HeadersOnly:
		return "return=headers-only"
	case Minimal:
		return "return=minimal"
	case NoReturn:
	}
	return ""
}

func (c CountMode) String() string {
	switch c {
	case Exact:
		return "count=exact"
	case Planned:
		return "count=planned"
	case Estimated:
		return "count=estimated"
	case NoCount:
	}
	return ""
}

func (t Tx) String() string {
	switch t {
	case Commit:
		return "tx=commit"
	case Rollback:
		return "tx=rollback"
	case DefaultTx:
	}
	return ""
}

func (m Missing) String() string {
	switch m {
	case MissingDefault:
		return "missing=default"
	case MissingNull:
		return "missing=null"
	case DefaultMissing:
	}
	return ""
}

func (h Handling) String() string {
	switch h {
	case Strict:
		return "handling=strict"
	case Lenient:
		return "handling=lenient"
	case DefaultHandling:
	}
	return ""
}
