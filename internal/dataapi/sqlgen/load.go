package sqlgen

import (
	"github.com/tarn-data/tarn/internal/dataapi/payload"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// loadTable holds a large payload, a row for each object, for the statement that would else have all of it as one
// parameter. It is gone with the transaction.
const loadTable = "pg_temp.tarn_payload"

// buildLoad renders the insert of a payload that arrives row by row: a COPY, if it does the same, or a COPY to a table
// of this transaction and the usual statement with that in place of its parameter.
func buildLoad(p *plan.Mutate, insert *plan.Insert, prefer request.Prefer) *Query {
	if insert.Copyable {
		return buildCopy(insert)
	}
	q := buildWrite(p, prefer)
	switch p.Handler.Kind { //nolint:exhaustive // others are not made of rows alone, or seldom asked for
	case schema.HandleJSON, schema.HandleNDJSON:
		q = buildReturned(p)
	}
	column := "json_data json"
	if insert.ApplyDefaults {
		column = "json_data jsonb"
	}
	q.Load = &Load{
		Create: "CREATE TEMPORARY TABLE " + loadTable + " (" + column + ") ON COMMIT DROP",
		Copy:   "COPY " + loadTable + " FROM STDIN",
		Text:   payload.NewObjects(insert.Rows),
	}
	return q
}

func buildCopy(insert *plan.Insert) *Query {
	w := &writer{}
	w.raw("COPY ")
	w.qualified(insert.Into)
	w.raw("(")
	list(w, ", ", insert.Columns, func(f plan.Field) { w.ident(f.Name) })
	w.raw(") FROM STDIN")
	columns := make([]payload.Column, len(insert.Columns))
	for i, f := range insert.Columns {
		columns[i] = payload.Column{Name: f.Name, JSON: f.BaseType == "json" || f.BaseType == "jsonb"}
	}
	return &Query{Load: &Load{Copy: w.statement().SQL, Text: payload.NewText(insert.Rows, columns)}}
}

// buildReturned renders a write whose rows come back one by one.
func buildReturned(p *plan.Mutate) *Query {
	w := newWriter(p.Tree, p.Handler)
	w.raw("WITH ", plan.SourceName, " AS (")
	w.write(p.Write)
	w.raw(") SELECT ")
	q := &Query{Rows: RenderedJSON, RoleBound: p.Tree.DependsOnRole()}
	if p.Handler.Kind == schema.HandleNDJSON {
		q.Rows = RenderedNDJSON
		w.raw(oneLine("row_to_json(_postgrest_t)"))
	} else {
		w.raw("row_to_json(_postgrest_t)")
	}
	w.raw(" FROM (")
	w.read(p.Tree)
	w.raw(") _postgrest_t")
	q.Main = w.statement()
	return q
}

// oneLine is JSON without line breaks, of which only white space can be one.
func oneLine(json string) string { return "translate(" + json + `::text, E'\n\r', '  ')` }
