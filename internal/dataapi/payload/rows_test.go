package payload

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tarn-data/tarn/internal/fault"
)

// readAll makes one array of the rows that are read one by one.
func readAll(rows *Rows, err error) (objects []byte, columns []string, _ error) {
	if err != nil {
		return nil, nil, err
	}
	out := []byte{'['}
	for rows.Next() {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = rows.source.object(out)
	}
	return append(out, ']'), rows.Columns, rows.Err()
}

// readers hand out a text in different pieces.
func readers(text []byte) []io.Reader {
	return []io.Reader{bytes.NewReader(text), iotest.OneByteReader(bytes.NewReader(text)), iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(text)))}
}

// FuzzRows holds what is read row by row against what is read as a whole: the same rows, columns and faults. Of several
// faults, the whole has another one first.
func FuzzRows(f *testing.F) {
	for _, s := range []string{
		`[{"a":1,"b":[true,null]},{"b":"\u0061\"","a":{}}]`, ` [ {"\u0061":-1.5e3} , {"a":2} ] `, `[{"a":1,"a":2},{"a":1}]`, `[{"a":1},{}]`, `[{"a":1},nu`,
		`[{"a":1}]x`, `[{"a":1},2]`, `[{},{}]`, "[{\"a\":1},{\"a\":\"\xff\"}]", `[{"a":1}`, `[{"a":"\ud83d\ude00"},{"a":"\ud83d"}]`,
		"{\"a\":1}\n\n {\"a\":2}\r\n", "{\"a\":1},{\"a\":2}", "{\"a\":1\n}", "\n\n", "{\"a\":1}\n,",
		"a,b\n1,\"x\"\"y\"\r\nNULL,\n", "a\n", "a,b\n1\n", "\"a\nb\",c\n1,2", "a,a,b\n1,2,3,4\n\n5,6,7", "a\nb\"c\nd", "a\n\"b\" c", "a\nb\rc", "a\n\xff",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if keys, shape := Keys(body); shape != Nothing {
			for _, in := range readers(body) {
				objects, columns, err := readAll(OpenJSON(in, nil, 1<<20))
				switch {
				case err != nil && shape == Objects && body[0] == '[':
					t.Fatalf("%q: %v", body, err)
				case err != nil:
					continue
				case shape != Objects || !slices.Equal(keys, columns):
					t.Fatalf("%q: columns %q of shape %d with keys %q", body, columns, shape, keys)
				}
				if again, shape := Keys(objects); shape != Objects || !slices.Equal(again, keys) {
					t.Fatalf("%q became %q", body, objects)
				}
			}
		}
		want := FromLines(body)
		for _, in := range readers(body) {
			if got, err := io.ReadAll(NewLines(in)); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%q as lines: %q, %v, want %q", body, got, err, want)
			}
		}
		want, keys, wrong := FromCSV(body)
		for _, in := range readers(body) {
			objects, columns, err := readAll(OpenCSV(in, 1<<20))
			switch {
			case (err == nil) != (wrong == nil):
				t.Fatalf("%q as CSV: %v, want %v", body, err, wrong)
			case err != nil && err.Error() != wrong.Error() && !strings.Contains(wrong.Error(), "UTF-8"):
				t.Fatalf("%q as CSV: %v, want %v", body, err, wrong)
			case err == nil && (!bytes.Equal(objects, want) || keys != nil && !slices.Equal(columns, keys)):
				t.Fatalf("%q as CSV: %q %q, want %q %q", body, objects, columns, want, keys)
			}
		}
	})
}

func TestFaults(t *testing.T) {
	many := strings.Repeat(`{"a":1,"b":"x"},`, 20_000)
	for _, c := range []struct{ after, want string }{
		{`{"b":2,"a":1}]`, ""},
		{`{"a":1}]`, "All object keys must match"},
		{`{"a":1,"b":2,"c":3}]`, "All object keys must match"},
		{`7]`, "All object keys must match"},
		{`{"a":1`, "Empty or invalid json"},
		{`{"a":1,"b":"` + "\xff" + `"}]`, "Empty or invalid json"},
		{`{"a":1,"b":2}] {`, "Empty or invalid json"},
		{`{"a":1,"b":"` + strings.Repeat("x", 1<<20) + `"}]`, "A row of the request's body is larger than the server accepts."},
	} {
		_, _, err := readAll(OpenJSON(strings.NewReader("["+many+c.after), nil, 1<<19))
		if got := fault.From(err); (err != nil || c.want != "") && got.Message != c.want {
			t.Errorf("%.30s: %v", c.after, err)
		}
	}
	if _, _, err := readAll(OpenCSV(strings.NewReader("a\n"+strings.Repeat("x", 1<<20)), 1<<19)); fault.From(err).Code != "413" {
		t.Errorf("a long record: %v", err)
	}
}

func TestLargeRows(t *testing.T) {
	row := `{"a":"` + strings.Repeat(`x\n`, 1<<18) + `"}`
	for _, in := range readers([]byte("[" + row + ",\n" + row + "]"))[2:] {
		objects, _, err := readAll(OpenJSON(in, nil, 1<<22))
		if err != nil || string(objects) != "["+row+","+row+"]" {
			t.Errorf("%d bytes, %v", len(objects), err)
		}
	}
}
