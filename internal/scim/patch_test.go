package scim_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/scim"
)

func lists(name string) bool { return name == "members" || name == "emails" }

func decode(t *testing.T, text string) (out map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestApply(t *testing.T) {
	t.Parallel()
	const before = `{"displayName":"x","active":true,"name":{"givenName":"A","familyName":"B"},
		"members":[{"value":"1","display":"one"},{"value":"2"}],"emails":[{"value":"a@x","type":"work"},{"value":"b@x","type":"home"}]}`
	for _, c := range []struct{ what, change, want string }{
		{"replace", `{"op":"Replace","path":"active","value":"false"}`, `{"active":"false"}`},
		{"replace within", `{"op":"replace","path":"name.givenName","value":"C"}`, `{"name":{"givenName":"C","familyName":"B"}}`},
		{"add an object", `{"op":"ADD","path":"name","value":{"givenname":"C"}}`, `{"name":{"givenName":"C","familyName":"B"}}`},
		{"add a member", `{"op":"add","path":"members","value":[{"value":"3"},{"value":"2"}]}`, `{"members":[{"value":"1","display":"one"},{"value":"2"},{"value":"3"}]}`},
		{"add one that isn't a list", `{"op":"add","path":"members","value":{"value":"3"}}`, `{"members":[{"value":"1","display":"one"},{"value":"2"},{"value":"3"}]}`},
		{"remove a member", `{"op":"remove","path":"members[value eq \"1\"]"}`, `{"members":[{"value":"2"}]}`},
		{"remove one that isn't there", `{"op":"remove","path":"members[value eq \"9\"]"}`, `{}`},
		{"remove those given", `{"op":"remove","path":"members","value":[{"value":"2"}]}`, `{"members":[{"value":"1","display":"one"}]}`},
		{"remove all", `{"op":"remove","path":"members"}`, `{"members":null}`},
		{"remove an attribute", `{"op":"remove","path":"displayName"}`, `{"displayName":null}`},
		{"replace all", `{"op":"replace","path":"Members","value":[{"value":"7"},{"value":"7"}]}`, `{"members":[{"value":"7"}]}`},
		{"change a chosen one", `{"op":"replace","path":"emails[type eq \"work\"].value","value":"c@x"}`, `{"emails":[{"value":"c@x","type":"work"},{"value":"b@x","type":"home"}]}`},
		{"make a chosen one", `{"op":"add","path":"emails[type eq \"other\"].value","value":"c@x"}`, `{"emails":[{"value":"a@x","type":"work"},{"value":"b@x","type":"home"},{"value":"c@x","type":"other"}]}`},
		{"without a path", `{"op":"add","value":{"schemas":["s"],"displayName":"y","members":[{"value":"3"}],"name.familyName":"Z"}}`,
			`{"displayName":"y","name":{"givenName":"A","familyName":"Z"},"members":[{"value":"1","display":"one"},{"value":"2"},{"value":"3"}]}`},
	} {
		got, want := decode(t, before), decode(t, before)
		maps.Copy(want, decode(t, c.want))
		var change scim.Change
		if err := json.Unmarshal([]byte(c.change), &change); err != nil {
			t.Fatal(err)
		}
		if err := scim.Apply(got, []scim.Change{change}, lists); err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		for k, v := range got {
			if list, ok := v.([]any); ok && len(list) == 0 {
				got[k] = nil
			}
		}
		for k, v := range want {
			if _, there := got[k]; v == nil && !there {
				delete(want, k)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", c.what, diff)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code   string
		change scim.Change
	}{
		{"invalidSyntax", scim.Change{Op: "test", Path: "active"}},
		{"noTarget", scim.Change{Op: "remove"}},
		{"invalidValue", scim.Change{Op: "add", Value: "x"}},
		{"invalidPath", scim.Change{Op: "add", Path: "members[", Value: "x"}},
		{"invalidPath", scim.Change{Op: "add", Path: `active[value eq "x"]`, Value: "x"}},
		{"invalidPath", scim.Change{Op: "replace", Path: "members.value", Value: "x"}},
		{"noTarget", scim.Change{Op: "replace", Path: `members[value eq "9"]`, Value: map[string]any{"value": "1"}}},
		{"invalidValue", scim.Change{Op: "add", Path: "members", Value: []any{1.5}}},
	} {
		err := scim.Apply(map[string]any{}, []scim.Change{c.change}, lists)
		if f := fault.From(err); err == nil || f.Kind != fault.Invalid || f.Code != c.code {
			t.Errorf("%+v: %v, want %s", c.change, err, c.code)
		}
	}
}

func FuzzApply(f *testing.F) {
	f.Add(`[{"op":"add","path":"members[value eq \"1\"].type","value":{"a":1}}]`)
	f.Add(`[{"op":"replace","value":{"name":{"givenName":null},"emails":"x"}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		var changes []scim.Change
		if json.Unmarshal([]byte(text), &changes) != nil {
			return
		}
		resource := map[string]any{"name": map[string]any{"givenName": "A"}, "members": []any{map[string]any{"value": "1"}}}
		if err := scim.Apply(resource, changes, lists); err != nil && fault.From(err).Kind != fault.Invalid {
			t.Fatal(err)
		}
		if _, err := json.Marshal(resource); err != nil {
			t.Fatal(err)
		}
	})
}
