package sqlgen

import (
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// PostgreSQL's object identifiers of the types that parameters are declared as.
const (
	oidBytea     = 17
	oidText      = 25
	oidJSON      = 114
	oidTextArray = 1009
	oidJSONB     = 3802
)

// writer collects SQL text and parameters in the order in which they are written.
type writer struct {
	sql   strings.Builder
	args  []Arg
	jsonb bool // whether embeds become jsonb
	table bool // whether what is read has to be a table
}

func (w *writer) statement() Statement { return Statement{SQL: w.sql.String(), Args: w.args} }

// raw writes text of this package's own.
func (w *writer) raw(parts ...string) {
	for _, p := range parts {
		w.sql.WriteString(p)
	}
}

func (w *writer) param(a Arg) {
	w.args = append(w.args, a)
	w.sql.WriteByte('$')
	w.sql.WriteString(strconv.Itoa(len(w.args)))
}

// value writes a parameter whose type the server infers from where it stands.
func (w *writer) value(s string) { w.param(Arg{Value: []byte(cutNul(s))}) }

func (w *writer) ident(name string) { w.sql.WriteString(QuoteIdent(name)) }

func (w *writer) qualified(id schema.Ident) {
	if id.Schema != "" {
		w.ident(id.Schema)
		w.sql.WriteByte('.')
	}
	w.ident(id.Name)
}

func (w *writer) column(of schema.Ident, name string) {
	w.qualified(of)
	w.sql.WriteByte('.')
	if name == "*" {
		w.sql.WriteByte('*')
	} else {
		w.ident(name)
	}
}

func (w *writer) as(alias string) {
	if alias != "" {
		w.raw(" AS ")
		w.ident(alias)
	}
}

// list writes items with a separator between them.
func list[T any](w *writer, sep string, items []T, write func(T)) {
	for i, item := range items {
		if i > 0 {
			w.sql.WriteString(sep)
		}
		write(item)
	}
}

// QuoteIdent quotes an identifier. A NUL can't be in one, and ends it.
func QuoteIdent(name string) string {
	return `"` + strings.ReplaceAll(cutNul(name), `"`, `""`) + `"`
}

// QuoteQualified quotes a name that may have a schema.
func QuoteQualified(id schema.Ident) string {
	if id.Schema == "" {
		return QuoteIdent(id.Name)
	}
	return QuoteIdent(id.Schema) + "." + QuoteIdent(id.Name)
}

// QuoteLiteral quotes a string that comes of the database itself, or of the server's settings.
func QuoteLiteral(s string) string {
	s = strings.ReplaceAll(cutNul(s), "'", "''")
	if strings.Contains(s, `\`) {
		return "E'" + strings.ReplaceAll(s, `\`, `\\`) + "'"
	}
	return "'" + s + "'"
}

var arrayEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

func arrayLiteral(values []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		b.WriteString(arrayEscapes.Replace(cutNul(v)))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

func cutNul(s string) string {
	before, _, _ := strings.Cut(s, "\x00")
	return before
}
