package request

import (
	"io"
	"slices"
	"unicode/utf8"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/payload"
	"github.com/tarn-data/tarn/internal/fault"
)

// content is a payload and its columns, sorted.
type content struct {
	payload Payload
	columns []string
}

func (r *Request) content(in Input, opt Options) (content, error) {
	if in.Stream == nil {
		return readContent(in.Body, r.Content, r.Action, r.Query.Columns)
	}
	rows, err := openRows(in.Stream, r.Content, r.Action, r.Query.Columns, opt.MaxRow)
	if err != nil {
		return content{}, err
	}
	return content{RowsPayload{rows}, rows.Columns}, nil
}

// openRows begins to read a body whose rows are to be inserted. All others have to be held.
func openRows(in io.Reader, t media.Type, a Action, columns []string, maxRow int) (*payload.Rows, error) {
	if m, ok := a.(MutateRelation); !ok || m.Mutation != Insert {
		return nil, payload.ErrWhole
	}
	switch t.Kind { //nolint:exhaustive // the others have no rows
	case media.JSON:
		return payload.OpenJSON(in, columns, maxRow)
	case media.NDJSON:
		return payload.OpenJSON(payload.NewLines(in), columns, maxRow)
	case media.CSV:
		return payload.OpenCSV(in, maxRow)
	}
	return nil, payload.ErrWhole
}

// readContent reads the body as what its type says it is. Where the client names the columns, JSON isn't looked into.
func readContent(body []byte, t media.Type, a Action, columns []string) (content, error) {
	if body == nil {
		body = []byte{}
	}
	switch a := a.(type) {
	case MutateRelation:
		switch a.Mutation {
		case Insert, Update:
			return relationContent(body, t, columns)
		case Upsert:
			return relationContent(body, t, nil)
		case Delete:
		}
	case CallRoutine:
		if a.Invoke == InvokePost {
			return routineContent(body, t, columns)
		}
	case ReadRelation, ReadSchema, RelationInfo, RoutineInfo, SchemaInfo:
	}
	return content{}, nil
}

func relationContent(body []byte, t media.Type, columns []string) (content, error) {
	switch t.Kind { //nolint:exhaustive // the others can't be written
	case media.JSON:
		return jsonContent(body, columns)
	case media.NDJSON:
		return jsonContent(payload.FromLines(body), columns)
	case media.CSV:
		return csvContent(body)
	case media.URLEncoded:
		params, err := decodeForm(body)
		if err != nil {
			return content{}, err
		}
		names := paramNames(params)
		return content{JSONPayload{Raw: paramsObject(params)}, names}, nil
	}
	return content{}, unsupportedContent(t)
}

func routineContent(body []byte, t media.Type, columns []string) (content, error) {
	switch t.Kind { //nolint:exhaustive // the others can't be given to a routine
	case media.JSON:
		if len(body) == 0 && columns == nil {
			return content{payload: JSONPayload{Raw: body}}, nil
		}
		return jsonContent(body, columns)
	case media.NDJSON:
		return jsonContent(payload.FromLines(body), columns)
	case media.CSV:
		return csvContent(body)
	case media.URLEncoded:
		params, err := decodeForm(body)
		if err != nil {
			return content{}, err
		}
		return content{FormPayload{Params: params}, paramNames(params)}, nil
	case media.Text, media.XML, media.OctetStream:
		return content{payload: RawPayload{Raw: body}}, nil
	}
	return content{}, unsupportedContent(t)
}

func jsonContent(body []byte, columns []string) (content, error) {
	if columns != nil {
		return content{JSONPayload{Raw: body}, columns}, nil
	}
	keys, shape := payload.Keys(body)
	switch shape {
	case payload.Objects:
		return content{JSONPayload{Raw: body}, keys}, nil
	case payload.Nothing:
		return noRows(), nil
	case payload.Mixed:
		return content{}, invalidBody("All object keys must match")
	case payload.Invalid:
	}
	return content{}, invalidBody("Empty or invalid json")
}

func csvContent(body []byte) (content, error) {
	objects, columns, err := payload.FromCSV(body)
	return content{JSONPayload{Raw: objects}, columns}, err
}

func noRows() content { return content{payload: JSONPayload{Raw: []byte("[]")}} }

func unsupportedContent(t media.Type) error {
	return invalidBody("Content-Type not acceptable: " + t.String())
}

func invalidBody(message string) error {
	return fault.New(fault.Invalid, "PGRST102", message)
}

func decodeForm(body []byte) ([]Param, error) {
	pairs := decodePairs(string(body))
	params := make([]Param, len(pairs))
	for i, p := range pairs {
		if !utf8.ValidString(p.name) || !utf8.ValidString(p.value) {
			return nil, invalidBody("The form is not valid UTF-8")
		}
		params[i] = Param{Name: p.name, Value: p.value}
	}
	return params, nil
}

// paramNames are the names of parameters, sorted, each once.
func paramNames(params []Param) []string {
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.Name
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// paramsObject writes parameters as a JSON object. Of several of one name the last counts.
func paramsObject(params []Param) []byte {
	last := make(map[string]string, len(params))
	for _, p := range params {
		last[p.Name] = p.Value
	}
	b := []byte{'{'}
	for i, name := range paramNames(params) {
		if i > 0 {
			b = append(b, ',')
		}
		b = payload.AppendString(b, name)
		b = append(b, ':')
		b = payload.AppendString(b, last[name])
	}
	return append(b, '}')
}
