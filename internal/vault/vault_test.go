package vault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
)

func testKey(t testing.TB) *localKey {
	t.Helper()
	k, err := newLocalKey(bytes.Repeat([]byte{7}, keyLen), "a test")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestBind(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, parts := range [][]string{nil, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab"}, {"a", "b"}, {"a\x01b"}, {"\x01a"}} {
		aad := string(Bind(parts...))
		if seen[aad] {
			t.Errorf("%q makes the same as others", parts)
		}
		seen[aad] = true
	}
}

func TestRewrapKeepsWhatIsSealed(t *testing.T) {
	t.Parallel()
	from := testKey(t)
	to, err := newLocalKey(bytes.Repeat([]byte{8}, keyLen), "another")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := seal(t.Context(), from, []byte("aad"), []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := parseEnvelope(sealed)
	if err != nil {
		t.Fatal(err)
	}
	again, err := e.rewrap(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	moved, err := parseEnvelope(again)
	if err != nil || moved.root != to.own || !bytes.Equal(moved.payload, e.payload) {
		t.Fatal(err)
	}
	if text, err := moved.open(t.Context(), to, []byte("aad")); err != nil || string(text) != "secret" {
		t.Error(err)
	}
	if _, err := moved.open(t.Context(), from, []byte("aad")); err == nil {
		t.Error("the old root key opens it still")
	}
	if _, err := e.rewrap(t.Context(), to, from); err == nil {
		t.Error("wrapped anew by a key that can't unwrap it")
	}
}

func TestSecretShowsItselfToNobody(t *testing.T) {
	t.Parallel()
	s := Secret("hush")
	inside := struct{ S Secret }{s}
	text, err := json.Marshal(map[string]any{"a": s, "b": inside})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s, "in", inside)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "s", s, "in", inside)
	shown := string(text) + log.String() + fmt.Sprint(s, inside, &inside, []Secret{s}, map[Secret]Secret{s: s}, fmt.Errorf("%w", fmt.Errorf("%s", s)))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, inside)
	}
	for _, form := range []string{"hush", "68757368"} {
		if bytes.Contains([]byte(shown), []byte(form)) {
			t.Errorf("%s is shown: %s", form, shown)
		}
	}
	var back Secret
	if err := json.Unmarshal([]byte(`"hush"`), &back); err != nil || back.Reveal() != "hush" {
		t.Error("a secret can't be read", err)
	}
}

func FuzzOpen(f *testing.F) {
	k := testKey(f)
	good, err := seal(f.Context(), k, nil, []byte("secret"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:headerLen+lengthLen])
	f.Add([]byte{version})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		e, err := parseEnvelope(sealed)
		if err != nil {
			return
		}
		if text, err := e.open(t.Context(), k, nil); err == nil && string(text) != "secret" { // a seed opens; each process has one of its own
			t.Errorf("%x opens", sealed)
		}
		_, _ = e.rewrap(t.Context(), k, k)
	})
}
