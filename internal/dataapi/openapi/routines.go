package openapi

import "github.com/tarn-data/tarn/internal/dataapi/schema"

// routinePath lets every routine be called by POST, and by GET those that can't change anything.
func routinePath(r *schema.Routine, searchPath []string) path {
	call := func(arguments []argument) *operation {
		o := &operation{
			Tags:       []string{"(rpc) " + r.Name},
			Produces:   []string{mediaJSON, mediaSingularStripped, mediaSingular},
			Parameters: arguments,
			Responses:  ok(),
		}
		o.Summary, o.Description = splitComment(r.Description)
		return o
	}
	params := make([]schema.Param, len(r.Params))
	for i, p := range r.Params {
		params[i] = p
		params[i].Type = unqualified(p.Type, searchPath)
	}
	p := path{Post: call(bodyArguments(r.Description, params))}
	if r.Volatility != schema.Volatile {
		p.Get = call(queryArguments(params))
	}
	return p
}

func bodyArguments(description string, params []schema.Param) []argument {
	body := &value{Type: objectType, Description: description}
	for _, p := range params {
		body.Properties.set(p.Name, value{Type: typeOf(p.Type), Format: formatOf(p.Type), Items: itemsOf(p.Type)})
		if p.Required {
			body.Required = append(body.Required, p.Name)
		}
	}
	args := parameter{Name: "args", In: inBody, Required: true, Schema: body}
	return append([]argument{args}, refs("preferParams")...)
}

func queryArguments(params []schema.Param) []argument {
	out := make([]argument, len(params))
	for i, p := range params {
		out[i] = queryArgument(p)
	}
	return out
}

func queryArgument(p schema.Param) parameter {
	out := parameter{Name: p.Name, In: inQuery, Required: p.Required}
	t := typeOf(p.Type)
	if p.Variadic { // comes as often as there are elements
		element := elementOf(p.Type)
		out.Type, out.CollectionFormat = t, "multi"
		out.Items = &value{Type: typeOf(element), Format: formatOf(element)}
		return out
	}
	out.Type, out.Format = t, formatOf(p.Type)
	if t == arrayType || t == anyType { // a query parameter needs a type, and an array is written as one literal
		out.Type = stringType
	}
	return out
}
