package sqlgen

import (
	"bytes"

	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// The payload's rows, and the setting that counts what an upsert inserts.
const (
	bodyAlias = "pgrst_body"

	countInsert = "set_config('pgrst.inserted', (COALESCE(NULLIF(current_setting('pgrst.inserted', true), '')::int, 0) + 1)::text, true) <> '0'"
	countUpdate = "set_config('pgrst.inserted', (COALESCE(NULLIF(current_setting('pgrst.inserted', true), '')::int, 0) - 1)::text, true) <> '-1'"
)

func (w *writer) write(wr plan.Write) {
	switch wr := wr.(type) {
	case *plan.Insert:
		w.insert(wr)
	case *plan.Update:
		w.update(wr)
	case *plan.Delete:
		w.raw("DELETE FROM ")
		w.qualified(wr.From)
		w.where(wr.From, wr.Where)
		w.returning(wr.From, wr.Returning)
	}
}

func (w *writer) insert(i *plan.Insert) {
	w.raw("INSERT INTO ")
	w.qualified(i.Into)
	if len(i.Columns) > 0 {
		w.raw("(")
		list(w, ", ", i.Columns, func(f plan.Field) { w.ident(f.Name) })
		w.raw(")")
	}
	w.raw(" SELECT ")
	list(w, ", ", i.Columns, func(f plan.Field) { w.column(schema.Ident{Name: bodyAlias}, f.Name) })
	if i.Rows != nil {
		w.raw(" FROM ", loadTable, " pgrst_payload, ")
		w.bodyRows(i.Columns, true, false, i.ApplyDefaults)
	} else {
		w.body(i.Body, i.Columns, false, i.ApplyDefaults)
	}
	// Every row that passes is counted as inserted, until the conflict says otherwise.
	counted := len(i.Where) > 0 || i.Resolution == request.MergeDuplicates
	if counted {
		w.raw(" WHERE ", countInsert)
	}
	if len(i.Where) > 0 {
		w.raw(" AND ")
		w.conditions(schema.Ident{Name: bodyAlias}, i.Where)
	}
	w.conflict(i, counted)
	w.returning(i.Into, i.Returning)
}

func (w *writer) conflict(i *plan.Insert, counted bool) {
	if i.Resolution == request.NoResolution || len(i.ConflictOn) == 0 {
		return
	}
	w.raw(" ON CONFLICT (")
	list(w, ", ", i.ConflictOn, w.ident)
	w.raw(")")
	if i.Resolution == request.IgnoreDuplicates || len(i.Columns) == 0 {
		w.raw(" DO NOTHING")
		return
	}
	w.raw(" DO UPDATE SET ")
	list(w, ", ", i.Columns, func(f plan.Field) {
		w.ident(f.Name)
		w.raw(" = EXCLUDED.")
		w.ident(f.Name)
	})
	if counted {
		w.raw(" WHERE ", countUpdate)
	}
}

func (w *writer) update(u *plan.Update) {
	if len(u.Columns) == 0 {
		// There is nothing to set, so nothing is updated; the empty result has the columns that are asked for.
		w.raw("SELECT ")
		if len(u.Returning) == 0 {
			w.raw("NULL")
		}
		list(w, ", ", u.Returning, func(c string) { w.column(schema.Ident{Name: u.Relation.Name}, c) })
		w.raw(" FROM ")
		w.qualified(u.Relation)
		w.raw(" WHERE false")
		return
	}
	w.raw("UPDATE ")
	w.qualified(u.Relation)
	w.raw(" SET ")
	list(w, ", ", u.Columns, func(f plan.Field) {
		w.ident(f.Name)
		w.raw(" = ")
		w.column(schema.Ident{Name: bodyAlias}, f.Name)
	})
	w.body(u.Body, u.Columns, false, u.ApplyDefaults)
	w.where(u.Relation, u.Where)
	w.returning(u.Relation, u.Returning)
}

func (w *writer) where(of schema.Ident, where []plan.Logic) {
	if len(where) > 0 {
		w.raw(" WHERE ")
		w.conditions(of, where)
	}
}

// returning hands on the columns that the read needs, or a constant for each row, so that rows can be counted.
func (w *writer) returning(of schema.Ident, columns []string) {
	w.raw(" RETURNING ")
	if len(columns) == 0 {
		w.raw("1")
		return
	}
	list(w, ", ", columns, func(c string) { w.column(of, c) })
}

// body writes a FROM clause of the payload's rows with typed columns. The payload is one parameter.
func (w *writer) body(payload []byte, fields []plan.Field, one, defaults bool) {
	oid := uint32(oidJSON)
	if defaults {
		oid = oidJSONB
	}
	w.raw(" FROM (SELECT ")
	w.param(Arg{OID: oid, Value: payload})
	w.raw(" AS json_data) pgrst_payload, ")
	w.bodyRows(fields, isObject(payload), one, defaults)
}

// bodyRows writes what makes rows of a payload that is an object, or an array of them.
func (w *writer) bodyRows(fields []plan.Field, object, one, defaults bool) {
	prefix, source := "json", "pgrst_payload.json_data"
	if defaults {
		w.defaults(fields, object)
		prefix, source = "jsonb", "pgrst_json_defs.val"
	}
	w.raw("LATERAL (SELECT ")
	list(w, ", ", fields, func(f plan.Field) {
		if f.Transform == "" {
			w.ident(f.Name)
			return
		}
		w.raw(f.Transform, "(")
		w.ident(f.Name)
		w.raw(")")
		w.as(f.Name)
	})
	w.raw(" FROM ")
	switch {
	case len(fields) > 0 && object:
		w.raw(prefix, "_to_record(", source, ") AS _(")
		w.typedColumns(fields)
		w.raw(")")
	case len(fields) > 0:
		w.raw(prefix, "_to_recordset(", source, ") AS _(")
		w.typedColumns(fields)
		w.raw(")")
	case object:
		w.raw("(VALUES (1)) _")
	default: // an array of empty objects is as many empty rows
		w.raw(prefix, "_array_elements(", source, ") _")
	}
	if one && len(fields) > 0 {
		w.raw(" LIMIT 1")
	}
	w.raw(") ", bodyAlias)
}

func (w *writer) typedColumns(fields []plan.Field) {
	list(w, ", ", fields, func(f plan.Field) {
		w.ident(f.Name)
		w.raw(" ", f.Type)
	})
}

// defaults puts the columns' defaults beneath what the payload has.
func (w *writer) defaults(fields []plan.Field, object bool) {
	build := func() {
		w.raw("jsonb_build_object(")
		first := true
		for _, f := range fields {
			if f.Default == "" {
				continue
			}
			if !first {
				w.raw(", ")
			}
			first = false
			w.raw(QuoteLiteral(f.Name), ", ", f.Default)
		}
		w.raw(")")
	}
	if object {
		w.raw("LATERAL (SELECT ")
		build()
		w.raw(" || pgrst_payload.json_data AS val) pgrst_json_defs, ")
		return
	}
	w.raw("LATERAL (SELECT jsonb_agg(")
	build()
	w.raw(" || elem) AS val FROM jsonb_array_elements(pgrst_payload.json_data) elem) pgrst_json_defs, ")
}

func isObject(payload []byte) bool {
	b := bytes.TrimLeft(payload, " \t\r\n")
	return len(b) > 0 && b[0] == '{'
}
