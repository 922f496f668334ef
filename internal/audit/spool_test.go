package audit

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
)

// entry is a line of a spool's file.
type entry struct {
	mark   byte
	key    uint64
	record string
}

func lines(header string, entries ...entry) []byte {
	text := []byte(header + "\n")
	for _, e := range entries {
		text = appendLine(text, e.mark, e.key, []byte(e.record))
	}
	return text
}

// TestSpoolIsReadBack writes entries into files of a spool, and reads what a process finds that comes after a kill.
func TestSpoolIsReadBack(t *testing.T) {
	s, err := newSpool(t.TempDir(), "writer")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.close() }()
	for _, e := range []entry{{markBegin, 7, `{"a":"x y"}`}, {markBegin, 1 << 63, `{}`}, {markEnd, 7, `{"b":1}`}} {
		if err := s.add(e.mark, e.key, []byte(e.record)); err != nil {
			t.Fatal(err)
		}
	}
	read := func() *spooled {
		t.Helper()
		if _, err := s.files[s.now].Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		got, err := readSpooled(s.files[s.now])
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := read()
	if got.Writer != "writer" || got.Batch != 1 || len(got.begun) != 2 || string(got.begun[7]) != `{"a":"x y"}` || !got.ended[7] || len(got.ends) != 1 || string(got.ends[0]) != `{"b":1}` {
		t.Errorf("%+v", got)
	}
	// The next batch begins with what is under way.
	if err := s.swap(map[uint64][]byte{1 << 63: []byte(`{}`)}); err != nil {
		t.Fatal(err)
	}
	if got := read(); got.Batch != 2 || len(got.begun) != 1 || len(got.ends) != 0 || string(got.begun[1<<63]) != `{}` {
		t.Errorf("%+v", got)
	}
}

// TestBrokenSpools holds which files are refused rather than read in part: they aren't as Tarn wrote them.
func TestBrokenSpools(t *testing.T) {
	for _, bad := range []string{
		"\n", "{\n", "[]\n", "{}\n\n", "{}\n+\n", "{}\n+1\n", "{}\n+ {}\n", "{}\n*1 {}\n", "{}\n+-1 {}\n", "{}\n+!! {}\n", "{}\n=zzzzzzzzzzzzzzzz {}\n",
	} {
		if got, err := readSpooled(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read: %+v", bad, got)
		}
	}
	for _, empty := range []string{"", "{", `{"writer":"w","batch":1}`} { // whoever wrote it was killed
		if got, err := readSpooled(strings.NewReader(empty)); got != nil || err != nil {
			t.Errorf("%q: %+v %v", empty, got, err)
		}
	}
}

// FuzzSpool reads what may be in a file, and what is left of it if it ends anywhere: that is never refused if the whole isn't,
// and has nothing that the whole hasn't.
func FuzzSpool(f *testing.F) {
	const header = `{"writer":"w","batch":3}`
	f.Add(lines(header, entry{markBegin, 1, "{}"}, entry{markEnd, 1, `{"x":" "}`}), 30)
	f.Add(lines(header, entry{markBegin, 1 << 40, ""}, entry{markBegin, 2, "\x00"}, entry{markEnd, 2, "+1 {}"}), 0)
	f.Add([]byte(header), 3)
	f.Add([]byte("{}\n*\n"), 4)
	f.Fuzz(func(t *testing.T, file []byte, cut int) {
		whole, err := readSpooled(bytes.NewReader(file))
		if err != nil {
			return
		}
		if cut < 0 || cut > len(file) {
			cut = len(file) / 2
		}
		part, err := readSpooled(bytes.NewReader(file[:cut]))
		if err != nil {
			t.Fatalf("its first %d bytes are refused: %v", cut, err)
		}
		if part == nil {
			return
		}
		if part.header != whole.header || len(part.ends) > len(whole.ends) || !slices.EqualFunc(part.ends, whole.ends[:len(part.ends)], bytes.Equal) {
			t.Errorf("%+v isn't the beginning of %+v", part, whole)
		}
		for key := range maps.Keys(part.begun) {
			if _, ok := whole.begun[key]; !ok {
				t.Errorf("only a part has the call %d", key)
			}
		}
		// What is read is written and read again as it is.
		again := []byte(header + "\n")
		for key, record := range whole.begun {
			again = appendLine(again, markBegin, key, record)
		}
		back, err := readSpooled(bytes.NewReader(again))
		if err != nil || !maps.EqualFunc(back.begun, whole.begun, bytes.Equal) {
			t.Errorf("%+v became %+v: %v", whole, back, err)
		}
	})
}
