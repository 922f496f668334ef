package synctable

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// CSV is a file whose first line names the columns. Their types are the narrowest that fit all values.
type CSV struct{ file *os.File }

// NewCSV makes a source of a file, which it takes over.
func NewCSV(file *os.File) *CSV { return &CSV{file} }

// Columns implements Source. It reads the whole file.
func (c *CSV) Columns(ctx context.Context) ([]Column, error) {
	r := csv.NewReader(c.file)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, failed("The file has no line with the columns' names.")
	}
	columns := make([]Column, len(header))
	guesses := make([]guess, len(header))
	for i, name := range header {
		if i == 0 {
			name = strings.TrimPrefix(name, "\ufeff")
		}
		if name == "" {
			return nil, failed("Column %d of the file has no name.", i+1)
		}
		columns[i].Name = strings.Clone(name)
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, failed("The file isn't CSV: %v.", err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i, value := range record {
			guesses[i].see(value)
		}
	}
	for i := range columns {
		columns[i].Type = guesses[i].name()
	}
	return columns, nil
}

// Copy implements Source.
func (c *CSV) Copy(_ context.Context, w io.Writer) error {
	if _, err := c.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, c.file)
	return err
}

// Format implements Source.
func (*CSV) Format() string { return "FORMAT csv, HEADER true, ENCODING 'UTF8'" }

// Close implements Source.
func (c *CSV) Close() { _ = c.file.Close() }

// guess narrows down the type of a column's values.
type guess struct {
	seen   bool
	misfit [5]bool // by the index of candidates
}

// candidates are the types that are tried, the narrowest first.
func candidates() [5]struct {
	name string
	fits func(string) bool
} {
	return [5]struct {
		name string
		fits func(string) bool
	}{
		{"bigint", func(s string) bool { _, err := strconv.ParseInt(s, 10, 64); return err == nil && !padded(s) }},
		{"numeric", func(s string) bool {
			f, err := strconv.ParseFloat(s, 64)
			return err == nil && !padded(s) && f-f == 0 && !strings.ContainsAny(s, "xXpP_")
		}},
		{"boolean", func(s string) bool { return s == "true" || s == "false" }},
		{"date", func(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil }},
		{"timestamptz", func(s string) bool { _, err := time.Parse(time.RFC3339Nano, s); return err == nil }},
	}
}

// padded tells of codes that only look like numbers: a postal code loses its zeros as one.
func padded(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return len(s) > 1 && s[0] == '0' && s[1] != '.'
}

func (g *guess) see(value string) {
	if value == "" {
		return
	}
	g.seen = true
	for i, c := range candidates() {
		if !g.misfit[i] && !c.fits(value) {
			g.misfit[i] = true
		}
	}
}

func (g *guess) name() string {
	if g.seen {
		for i, c := range candidates() {
			if !g.misfit[i] {
				return c.name
			}
		}
	}
	return "text"
}
