package plan

import (
	"encoding/json"
	"slices"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/fault"
)

func (p *planner) call(a request.CallRoutine) (Plan, error) {
	post := a.Invoke == request.InvokePost
	keys := p.req.Columns
	if !post {
		keys = argumentKeys(p.req.Query.Params)
	}
	routine, err := p.cache.FindRoutine(p.ident(a.Name), keys, p.req.Content, post)
	if err != nil {
		return nil, err
	}
	// Under the name of its row type, a routine's result can embed what that relation can.
	target := routine.Ident
	if name, ok := routine.ReturnRelation(); ok {
		target.Name = name
	}
	tree, err := p.readTree(target, true)
	if err != nil {
		return nil, err
	}
	h, err := p.negotiate(target, tree)
	if err != nil {
		return nil, err
	}
	if err := p.checkPreferences(); err != nil {
		return nil, err
	}
	if p.req.Prefer.HasMaxAffected && p.req.Prefer.Handling == request.Strict && routine.ReturnsSingle() {
		return nil, fault.New(fault.Invalid, "PGRST128",
			"Function must return SETOF or TABLE when max-affected preference is used with handling=strict")
	}
	if a.Invoke == request.InvokeHead {
		h.Handler = schema.Handler{}
	}
	return &Call{
		Tree: tree, Routine: routine, Args: p.args(routine, keys, post), Returned: returnedColumns(tree),
		ReadOnly: !post || routine.Volatility != schema.Volatile, Brief: briefCall(routine),
		Invoke: a.Invoke, Handler: h.Handler, Media: h.Media,
	}, nil
}

func argumentKeys(params []request.Param) []string {
	set := map[string]struct{}{}
	for _, prm := range params {
		set[prm.Name] = struct{}{}
	}
	return sortedKeys(set)
}

func (p *planner) args(routine *schema.Routine, keys []string, post bool) Args {
	params := p.req.Query.Params
	form, isForm := p.req.Payload.(request.FormPayload)
	if isForm {
		params = form.Params
	}
	named := !post || p.req.Content.Kind == media.URLEncoded
	if len(routine.Params) == 1 && routine.Params[0].Name == "" {
		body := p.body()
		if named {
			body = paramsJSON(params)
		}
		return BodyArg{Param: routine.Params[0], Body: body}
	}
	var given []schema.Param
	for _, prm := range routine.Params {
		if _, ok := slices.BinarySearch(keys, prm.Name); ok {
			given = append(given, prm)
		}
	}
	if named {
		return NamedArgs{Params: given, Values: paramValues(routine, params)}
	}
	return JSONArgs{Params: given, Body: p.body()}
}

func (p *planner) body() []byte {
	switch b := p.req.Payload.(type) {
	case request.JSONPayload:
		return b.Raw
	case request.RawPayload:
		return b.Raw
	case request.FormPayload, request.RowsPayload, nil: // which have no body
	}
	return nil
}

// paramValues collects the values by parameter. Only a variadic parameter has several; of others the last counts.
func paramValues(routine *schema.Routine, params []request.Param) map[string][]string {
	values := make(map[string][]string, len(params))
	for _, prm := range params {
		variadic := slices.ContainsFunc(routine.Params, func(s schema.Param) bool { return s.Variadic && s.Name == prm.Name })
		if variadic {
			values[prm.Name] = append(values[prm.Name], prm.Value)
		} else {
			values[prm.Name] = []string{prm.Value}
		}
	}
	return values
}

func paramsJSON(params []request.Param) []byte {
	object := make(map[string]string, len(params))
	for _, prm := range params {
		object[prm.Name] = prm.Value
	}
	out, err := json.Marshal(object)
	if err != nil { // strings always encode
		return nil
	}
	return out
}

// returnedColumns are the columns of a routine's result that the read of it looks at; nil for all.
func returnedColumns(tree *Node) []string {
	needed := neededColumns(tree, nil)
	if len(needed) == 0 || len(needed) == 1 && needed[0] == "*" {
		return nil
	}
	set := map[string]struct{}{}
	for _, name := range needed {
		set[name] = struct{}{}
	}
	for _, l := range tree.Where {
		filteredColumns(l, set)
	}
	return sortedKeys(set)
}

func filteredColumns(l Logic, set map[string]struct{}) {
	switch l := l.(type) {
	case Group:
		for _, item := range l.Items {
			filteredColumns(item, set)
		}
	case Filter:
		set[l.Field.Name] = struct{}{}
	case EmbedExists:
	}
}
