package sqlgen

import (
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// What the columns of a Row are when there is nothing to tell.
const (
	noCount    = "NULL::bigint"
	noLocation = "NULL::text"
	noInserted = "NULL::int"
	pageCount  = "pg_catalog.count(_postgrest_t)"

	insertedRows = "NULLIF(current_setting('pgrst.inserted', true), '')::int"

	guc = "NULLIF(current_setting('response.headers', true), ''), NULLIF(current_setting('response.status', true), '')"
)

// newWriter makes the writer of a main statement. Embeds are json, which costs half of what jsonb does. They are jsonb
// only where that can be seen: where rows are grouped, since json has no equality, and where they are rendered as
// something else than JSON, since jsonb is spaced in its own way.
func newWriter(tree *plan.Node, h schema.Handler) *writer {
	w := &writer{jsonb: tree.Aggregated()}
	switch h.Kind {
	case schema.HandleCSV, schema.HandleGeoJSON, schema.HandleCustom:
		w.jsonb = true
	case schema.NoHandler, schema.HandleJSON, schema.HandleJSONStripped, schema.HandleSingle, schema.HandleSingleStripped,
		schema.HandleNDJSON:
	}
	return w
}

// buildRows renders a read whose rows are rendered as they arrive.
func buildRows(p *plan.Read, prefer request.Prefer, opt Options) *Query {
	w := newWriter(p.Tree, p.Handler)
	w.read(p.Tree)
	q := &Query{
		Main: w.statement(), Bare: bare(p), Rows: JSONRows, ReadOnly: true, Selective: p.Selective, Quiet: p.Quiet, Brief: p.Brief, RoleBound: p.Tree.DependsOnRole(),
	}
	switch p.Handler.Kind { //nolint:exhaustive // no others are rendered by rows
	case schema.HandleCSV:
		q.Rows = CSVRows
	case schema.HandleNDJSON:
		q.Rows = NDJSONRows
	}
	if prefer.Count == request.Exact || prefer.Count == request.Estimated {
		if q.TotalIsPage = opt.allRows(p.Tree); !q.TotalIsPage {
			c := &writer{}
			c.raw("SELECT pg_catalog.count(*) FROM (")
			c.countUpTo(p.Tree, prefer, opt)
			c.raw(") pgrst_source_count")
			s := c.statement()
			q.Total = &s
		}
	}
	q.Count = buildCount(p.Tree, prefer)
	return q
}

// bare renders a brief read of a table that nobody's code has a part in.
func bare(p *plan.Read) string {
	if !p.Brief || !p.Quiet || p.Tree.DependsOnRole() {
		return ""
	}
	w := &writer{table: true}
	w.read(p.Tree)
	return w.sql.String()
}

// buildCount renders the execution plan of counting all rows, where that is wanted.
func buildCount(tree *plan.Node, prefer request.Prefer) *Statement {
	if prefer.Count != request.Planned && prefer.Count != request.Estimated {
		return nil
	}
	c := &writer{}
	c.raw("EXPLAIN (FORMAT JSON) ")
	c.count(tree)
	s := c.statement()
	return &s
}

// ResponseSettings is a statement that returns what a request's SQL has set of its response: headers and status.
func ResponseSettings() Statement { return Statement{SQL: "SELECT " + guc} }

// WriteSettings is a statement that returns how many rows an upsert has inserted, too.
func WriteSettings() Statement { return Statement{SQL: "SELECT " + guc + ", " + insertedRows} }

func buildRead(p *plan.Read, prefer request.Prefer, opt Options) *Query {
	if p.Rows && !opt.Whole {
		return buildRows(p, prefer, opt)
	}
	w := newWriter(p.Tree, p.Handler)
	explained := w.explain(p.Media)
	w.raw("WITH ", plan.SourceName, " AS (")
	w.read(p.Tree)
	w.raw(")")
	total := w.total(p.Tree, prefer, opt, pageCount)
	w.raw(" SELECT ", total, ", ", pageCount, ", ")
	w.render(p.Handler, nil)
	w.raw(", ", guc)
	w.raw(" FROM (SELECT * FROM ", plan.SourceName, ") _postgrest_t")
	return &Query{
		Main: w.statement(), Columns: readColumns(), Explained: explained, ReadOnly: true, Selective: p.Selective, Brief: p.Brief,
		RoleBound: p.Tree.DependsOnRole(), Count: buildCount(p.Tree, prefer),
	}
}

func buildMutate(p *plan.Mutate, prefer request.Prefer) *Query {
	insert, inserts := p.Write.(*plan.Insert)
	if inserts && insert.Rows != nil {
		return buildLoad(p, insert, prefer)
	}
	return buildWrite(p, prefer)
}

// buildWrite renders a statement that writes and returns a Row.
func buildWrite(p *plan.Mutate, prefer request.Prefer) *Query {
	w := newWriter(p.Tree, p.Handler)
	explained := w.explain(p.Media)
	w.raw("WITH ", plan.SourceName, " AS (")
	w.write(p.Write)
	w.raw(") SELECT ", noCount, ", ", pageCount, ", ")
	insert, inserts := p.Write.(*plan.Insert)
	if inserts && prefer.Return == request.HeadersOnly && len(insert.PrimaryKey) > 0 {
		w.location(insert.PrimaryKey)
	} else {
		w.raw(noLocation)
	}
	w.raw(", ")
	w.render(p.Handler, nil)
	w.raw(", ", guc, ", ")
	if inserts && (len(insert.Where) > 0 || insert.Resolution == request.MergeDuplicates) {
		w.raw(insertedRows)
	} else {
		w.raw(noInserted)
	}
	w.raw(" FROM (")
	if p.Handler.Kind == schema.NoHandler {
		// Nothing is rendered, so what ?select= names need not be there.
		w.raw("SELECT * FROM ", plan.SourceName)
	} else {
		w.read(p.Tree)
	}
	w.raw(") _postgrest_t")
	return &Query{
		Main: w.statement(), Columns: writtenColumns(), Explained: explained, Selective: p.Selective,
		RoleBound: p.Tree.DependsOnRole(),
	}
}

func buildCall(p *plan.Call, prefer request.Prefer, opt Options) *Query {
	w := newWriter(p.Tree, p.Handler)
	explained := w.explain(p.Media)
	w.raw("WITH ", plan.SourceName, " AS (")
	w.call(p)
	w.raw(")")
	page := pageCount
	if p.Routine.ReturnsSingle() {
		page = "1::bigint"
	}
	total := w.total(p.Tree, prefer, opt, page)
	w.raw(" SELECT ", total, ", ", page, ", ")
	w.render(p.Handler, p.Routine)
	w.raw(", ", guc, " FROM (")
	w.read(p.Tree)
	w.raw(") _postgrest_t")
	return &Query{
		Main: w.statement(), Columns: readColumns(), Explained: explained, ReadOnly: p.ReadOnly, RoleBound: p.Tree.DependsOnRole(),
		CallsVolatile: !p.ReadOnly, Brief: p.Brief,
		Isolation: p.Routine.Isolation, Settings: p.Routine.Settings,
	}
}

// total writes the common table expression that counts all rows, if they are to be counted and the page may have fewer,
// and returns the expression of their number.
func (w *writer) total(tree *plan.Node, prefer request.Prefer, opt Options, page string) string {
	if prefer.Count != request.Exact && prefer.Count != request.Estimated {
		return noCount
	}
	if opt.allRows(tree) {
		return page
	}
	w.raw(", pgrst_source_count AS (")
	w.countUpTo(tree, prefer, opt)
	w.raw(")")
	return "(SELECT pg_catalog.count(*) FROM pgrst_source_count)"
}

// allRows tells whether an answer has all rows that the filters leave.
func (opt Options) allRows(tree *plan.Node) bool {
	return opt.MaxRows == 0 && tree.Range == (request.Range{})
}

// countUpTo writes a SELECT of a row for each that is to be counted.
func (w *writer) countUpTo(tree *plan.Node, prefer request.Prefer, opt Options) {
	w.count(tree)
	if prefer.Count == request.Estimated && opt.MaxRows > 0 {
		// One row more than may be answered tells that an estimate is wanted.
		w.raw(" LIMIT ", strconv.FormatInt(opt.MaxRows+1, 10))
	}
}

// location writes a JSON array of the primary key's columns and the filters that find the one row that was inserted.
func (w *writer) location(key []string) {
	w.raw("CASE WHEN ", pageCount, " = 1 THEN (SELECT json_agg(json_build_array(k.key, COALESCE('eq.' || k.value, 'is.null')))::text",
		" FROM (SELECT row_to_json(s) AS r FROM ", plan.SourceName, " s LIMIT 1) d, json_each_text(d.r) k WHERE k.key = ANY (")
	w.param(Arg{OID: oidTextArray, Value: []byte(arrayLiteral(key))})
	w.raw(")) END")
}

// render writes the expression of the body.
func (w *writer) render(h schema.Handler, routine *schema.Routine) {
	row := "_postgrest_t"
	if routine != nil && !routine.Return.Composite {
		row = "_postgrest_t.pgrst_scalar"
	}
	single := routine != nil && routine.ReturnsSingle()
	switch h.Kind {
	case schema.NoHandler:
		w.raw("''::text")
	case schema.HandleJSON:
		w.json(row, single, false)
	case schema.HandleJSONStripped:
		w.json(row, single, true)
	case schema.HandleSingle:
		w.json(row, true, false)
	case schema.HandleSingleStripped:
		w.json(row, true, true)
	case schema.HandleGeoJSON:
		w.raw("json_build_object('type', 'FeatureCollection', 'features', COALESCE(json_agg(ST_AsGeoJSON(_postgrest_t)::json), '[]'))")
	case schema.HandleCSV:
		w.csv()
	case schema.HandleNDJSON:
		w.raw("COALESCE(string_agg(", oneLine("to_json("+row+")"), " || E'\\n', ''), '')")
	case schema.HandleCustom:
		w.custom(h, routine)
	}
}

func (w *writer) json(row string, single, strip bool) {
	agg := "json_agg(" + row + ")"
	if single {
		agg += "->0"
	}
	if strip {
		agg = "json_strip_nulls(" + agg + ")"
	}
	empty := "'[]'"
	if single {
		empty = "'null'"
	}
	w.raw("COALESCE(", agg, ", ", empty, ")")
}

// csv renders rows as PostgreSQL writes composite values, which is CSV within the parentheses.
func (w *writer) csv() {
	w.raw("(SELECT COALESCE(string_agg(h.k, ','), '') FROM (SELECT json_object_keys(row_to_json(s))::text AS k FROM (SELECT * FROM ",
		plan.SourceName, " LIMIT 1) s) h) || E'\\n' || COALESCE(string_agg(substring(_postgrest_t::text, 2, length(_postgrest_t::text) - 2), E'\\n'), '')")
}

func (w *writer) custom(h schema.Handler, routine *schema.Routine) {
	w.qualified(h.Function)
	switch {
	case routine != nil && routine.ReturnsScalar():
		w.raw("(_postgrest_t.pgrst_scalar)")
	case h.Target == schema.Ident{}:
		w.raw("(_postgrest_t)")
	default:
		w.raw("(_postgrest_t::")
		w.qualified(h.Target)
		w.raw(")")
	}
}

// explain writes EXPLAIN with its options, if a plan is what is asked for.
func (w *writer) explain(t media.Type) bool {
	if t.Kind != media.Plan {
		return false
	}
	options := []string{"FORMAT TEXT"}
	if t.Format == media.PlanJSON {
		options[0] = "FORMAT JSON"
	}
	for _, o := range []struct {
		option media.Options
		name   string
	}{
		{media.Analyze, "ANALYZE"}, {media.Verbose, "VERBOSE"}, {media.Settings, "SETTINGS"}, {media.Buffers, "BUFFERS"}, {media.WAL, "WAL"},
	} {
		if t.Options&o.option != 0 {
			options = append(options, o.name)
		}
	}
	w.raw("EXPLAIN (", strings.Join(options, ", "), ") ")
	return true
}
