package sqlgen

import (
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
)

// call writes the SELECT of a routine's result.
func (w *writer) call(c *plan.Call) {
	scalar := !c.Routine.Return.Composite
	w.raw("SELECT ")
	switch {
	case scalar:
		w.raw("pgrst_call.pgrst_scalar")
	case c.Returned == nil:
		w.raw("pgrst_call.*")
	default:
		list(w, ", ", c.Returned, func(name string) { w.column(schema.Ident{Name: "pgrst_call"}, name) })
	}
	open, end := "", " pgrst_call"
	if scalar {
		open, end = "(SELECT ", " pgrst_scalar) pgrst_call"
	}
	switch a := c.Args.(type) {
	case plan.BodyArg:
		w.raw(" FROM ", open)
		w.qualified(c.Routine.Ident)
		w.raw("(")
		w.bodyArg(a)
		w.raw(")", end)
	case plan.NamedArgs:
		w.raw(" FROM ", open)
		w.qualified(c.Routine.Ident)
		w.raw("(")
		list(w, ", ", a.Params, func(p schema.Param) { w.namedArg(p, a.Values[p.Name]) })
		w.raw(")", end)
	case plan.JSONArgs:
		if len(a.Params) == 0 {
			w.raw(" FROM ", open)
			w.qualified(c.Routine.Ident)
			w.raw("()", end)
			return
		}
		fields := make([]plan.Field, len(a.Params))
		for i, p := range a.Params {
			fields[i] = plan.Field{Name: p.Name, Type: p.CastType}
		}
		w.body(a.Body, fields, true, false)
		w.raw(", LATERAL ", open)
		w.qualified(c.Routine.Ident)
		w.raw("(")
		list(w, ", ", a.Params, w.jsonArg)
		w.raw(")", end)
	}
}

func (w *writer) bodyArg(a plan.BodyArg) {
	if a.Param.Type == "bytea" {
		w.param(Arg{OID: oidBytea, Binary: true, Value: a.Body})
		return
	}
	w.param(Arg{Value: a.Body})
	w.raw("::", a.Param.Type)
}

func (w *writer) argName(p schema.Param) {
	if p.Variadic {
		w.raw("VARIADIC ")
	}
	w.ident(p.Name)
	w.raw(" := ")
}

func (w *writer) namedArg(p schema.Param, values []string) {
	w.argName(p)
	switch {
	case p.Variadic:
		w.param(Arg{OID: oidTextArray, Value: []byte(arrayLiteral(values))})
	case len(values) == 0:
		w.raw("NULL")
	default:
		w.value(values[len(values)-1])
	}
	w.raw("::", p.CastType)
}

func (w *writer) jsonArg(p schema.Param) {
	w.argName(p)
	w.column(schema.Ident{Name: bodyAlias}, p.Name)
}
