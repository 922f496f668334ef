package sqlgen

import (
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

func operator(o request.Operator) string {
	switch o {
	case request.Equal:
		return "="
	case request.GreaterEqual:
		return ">="
	case request.Greater:
		return ">"
	case request.LessEqual:
		return "<="
	case request.Less:
		return "<"
	case request.Like:
		return "LIKE"
	case request.ILike:
		return "ILIKE"
	case request.Match:
		return "~"
	case request.IMatch:
		return "~*"
	case request.NotEqual:
		return "<>"
	case request.Contains:
		return "@>"
	case request.Contained:
		return "<@"
	case request.Overlap:
		return "&&"
	case request.StrictlyLeft:
		return "<<"
	case request.StrictlyRight:
		return ">>"
	case request.NotExtendsRight:
		return "&<"
	case request.NotExtendsLeft:
		return "&>"
	case request.Adjacent:
		return "-|-"
	}
	return "="
}

func searchFunction(o request.FullTextOperator) string {
	switch o {
	case request.FTS:
		return "to_tsquery"
	case request.PlainFTS:
		return "plainto_tsquery"
	case request.PhraseFTS:
		return "phraseto_tsquery"
	case request.WebFTS:
		return "websearch_to_tsquery"
	}
	return "to_tsquery"
}

func isOperand(v request.IsValue) string {
	switch v {
	case request.IsNull:
		return "NULL"
	case request.IsNotNull:
		return "NOT NULL"
	case request.IsTrue:
		return "TRUE"
	case request.IsFalse:
		return "FALSE"
	case request.IsUnknown:
		return "UNKNOWN"
	}
	return "NULL"
}

// conditions writes trees of filters, all of which must hold.
func (w *writer) conditions(of schema.Ident, where []plan.Logic) {
	list(w, " AND ", where, func(l plan.Logic) { w.logic(of, l) })
}

func (w *writer) logic(of schema.Ident, l plan.Logic) {
	switch l := l.(type) {
	case plan.Group:
		w.group(l, func(item plan.Logic) { w.logic(of, item) })
	case plan.Filter:
		w.filter(of, l)
	case plan.EmbedExists:
		w.ident(l.AggAlias)
		if l.Negated {
			w.raw(" IS DISTINCT FROM NULL")
		} else {
			w.raw(" IS NOT DISTINCT FROM NULL")
		}
	}
}

func (w *writer) group(g plan.Group, item func(plan.Logic)) {
	sep := " AND "
	if g.Or {
		sep = " OR "
	}
	if g.Negated {
		w.raw("NOT ")
	}
	w.raw("(")
	list(w, sep, g.Items, item)
	w.raw(")")
}

func (w *writer) filter(of schema.Ident, f plan.Filter) {
	if f.Negated {
		w.raw("NOT ")
	}
	w.field(of, f.Field)
	w.raw(" ")
	switch op := f.Operation.(type) {
	case request.Compare:
		w.compare(f.Field, op)
	case request.In:
		w.in(f.Field, op.Values)
	case request.Is:
		w.raw("IS ", isOperand(op.Value))
	case request.IsDistinct:
		w.raw("IS DISTINCT FROM ")
		w.value(op.Value)
	case request.FullText:
		w.raw("@@ ", searchFunction(op.Operator), "(")
		w.language(op.Language)
		w.value(op.Value)
		w.raw(")")
	}
}

func (w *writer) compare(f plan.Field, c request.Compare) {
	w.raw(operator(c.Operator), " ")
	switch c.Quantor {
	case request.AnyOf:
		w.raw("ANY(")
		defer w.raw(")")
	case request.AllOf:
		w.raw("ALL(")
		defer w.raw(")")
	case request.NoQuantor:
	}
	if c.Operator == request.Like || c.Operator == request.ILike {
		w.value(pattern(c.Value))
		return
	}
	if f.Transform == "" {
		w.value(c.Value)
		return
	}
	w.raw(f.Transform, "(")
	w.value(c.Value)
	w.raw(")")
}

// in is an equality with any element of an array, so that the statement's text doesn't depend on their number.
func (w *writer) in(f plan.Field, values []string) {
	if f.Transform == "" {
		w.raw("= ANY (")
		w.param(Arg{Value: []byte(listLiteral(values))})
		w.raw(")")
		return
	}
	w.raw("= ANY (SELECT ", f.Transform, "(unnest(")
	w.param(Arg{Value: []byte(listLiteral(values))})
	w.raw("::text[])))")
}

func (w *writer) language(name string) {
	if name != "" {
		w.value(name)
		w.raw(", ")
	}
}

// field writes a column with its path into JSON, as a tsvector where it is searched.
func (w *writer) field(of schema.Ident, f plan.Field) {
	if f.TSVector != nil {
		w.raw("to_tsvector(")
		w.language(f.TSVector.Language)
		defer w.raw(")")
	}
	switch {
	case f.FullRow:
		w.ident(of.Name)
	case len(f.Path) == 0:
		w.column(of, f.Name)
	default:
		if f.ToJSON {
			w.raw("to_jsonb(")
			w.column(of, f.Name)
			w.raw(")")
		} else {
			w.column(of, f.Name)
		}
		w.path(f.Path)
	}
}

func (w *writer) path(steps []request.JSONStep) {
	for _, s := range steps {
		if s.Text {
			w.raw("->>")
		} else {
			w.raw("->")
		}
		w.value(s.Key)
		if s.Index {
			w.raw("::int")
		}
	}
}
