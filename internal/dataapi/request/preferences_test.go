package request

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePrefer(t *testing.T) {
	for _, c := range []struct {
		values  []string
		want    Prefer
		applied string
	}{
		{nil, Prefer{}, ""},
		{[]string{""}, Prefer{}, ""},
		{
			[]string{"resolution=ignore-duplicates, count=exact, timezone=America/Los_Angeles, max-affected=100"},
			Prefer{Resolution: IgnoreDuplicates, Count: Exact, Timezone: "America/Los_Angeles", MaxAffected: 100, HasMaxAffected: true},
			"resolution=ignore-duplicates, count=exact, timezone=America/Los_Angeles",
		},
		{
			[]string{"resolution=merge-duplicates", "missing=null", "handling=lenient", "invalid", "max-affected=5999"},
			Prefer{Resolution: MergeDuplicates, Missing: MissingNull, Handling: Lenient, Invalid: []string{"invalid"}, MaxAffected: 5999, HasMaxAffected: true},
			"resolution=merge-duplicates, missing=null, handling=lenient",
		},
		{
			[]string{"count=planned,    tx=commit   ,return=representation , missing=default, handling=strict, anything, max-affected=0"},
			Prefer{Count: Planned, Tx: Commit, Return: Representation, Missing: MissingDefault, Handling: Strict, Invalid: []string{"anything"}, HasMaxAffected: true},
			"missing=default, return=representation, count=planned, tx=commit, handling=strict, max-affected=0",
		},
		{[]string{"tx=rollback, tx=commit"}, Prefer{Tx: Rollback}, "tx=rollback"},
		{[]string{"return=minimal", "return=headers-only"}, Prefer{Return: Minimal}, "return=minimal"},
		{[]string{"return=headers-only,count=estimated"}, Prefer{Return: HeadersOnly, Count: Estimated}, "return=headers-only, count=estimated"},
		{[]string{"a,,RETURN=minimal, count=some, max-affected=x,foo=1"}, Prefer{Invalid: []string{"a", "", "RETURN=minimal", "count=some", "foo=1"}}, ""},
		{[]string{"max-affected=1,max-affected=2"}, Prefer{MaxAffected: 1, HasMaxAffected: true}, ""},
	} {
		got := ParsePrefer(c.values, true)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.values, diff)
		}
		if applied := got.Applied(); applied != c.applied {
			t.Errorf("%q: applied %q, want %q", c.values, applied, c.applied)
		}
	}
}

func TestParsePreferWithoutTx(t *testing.T) {
	got := ParsePrefer([]string{"tx=rollback"}, false)
	if diff := cmp.Diff(Prefer{}, got); diff != "" {
		t.Errorf("tx= is neither heard nor invalid (-want +got):\n%s", diff)
	}
}

func FuzzPrefer(f *testing.F) {
	f.Add("return=minimal, count=exact,tx=commit", "handling=strict,max-affected=3")
	f.Add("timezone=a=b,,missing=null", "x")
	f.Fuzz(func(t *testing.T, a, b string) {
		p := ParsePrefer([]string{a, b}, true)
		if one := ParsePrefer([]string{a + "," + b}, true); a != "" && b != "" && !cmp.Equal(p, one) {
			t.Errorf("%q and %q differ from one header with both", a, b)
		}
		if strings.Contains(p.Timezone, ",") {
			t.Errorf("timezone %q", p.Timezone)
		}
		again := ParsePrefer([]string{p.Applied()}, true)
		p.Invalid = nil
		if p.Handling != Strict {
			p.HasMaxAffected, p.MaxAffected = false, 0
		}
		if diff := cmp.Diff(p, again); diff != "" {
			t.Errorf("%q, %q: what is applied is not what was asked for (-asked +applied):\n%s", a, b, diff)
		}
	})
}
