package request

import (
	"slices"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/fault"
)

// Parse reads what the client asks for. A stream that has to be held as a whole is refused with payload.ErrWhole.
func Parse(in Input, opt Options) (*Request, error) {
	h, err := readHead(in, opt)
	if err != nil {
		return nil, err
	}
	r := newRequest(in, h, opt)
	if err := r.readQuery(in); err != nil {
		return nil, err
	}
	c, err := r.content(in, opt)
	if err != nil {
		return nil, err
	}
	r.Payload, r.Columns = c.payload, c.columns
	return r, nil
}

// head is what is to be done to what.
type head struct {
	action     Action
	schema     string
	negotiated bool
}

func readHead(in Input, opt Options) (head, error) {
	action, err := resource(in, opt)
	if err != nil {
		return head{}, err
	}
	schema, negotiated, err := profile(in, opt.Schemas)
	return head{action, schema, negotiated}, err
}

func newRequest(in Input, h head, opt Options) *Request {
	return &Request{
		Action:     h.action,
		Method:     in.Method,
		URI:        in.URI,
		Schema:     h.schema,
		Negotiated: h.negotiated,
		Prefer:     ParsePrefer(in.Header["Prefer"], opt.TxAllowOverride),
		Accept:     media.ParseAccept(in.Header["Accept"]),
		Content:    contentType(in.Header["Content-Type"]),
	}
}

// readQuery reads the query string and the Range header.
func (r *Request) readQuery(in Input) error {
	pairs := decodePairs(in.Query)
	if err := checkUTF8(pairs); err != nil {
		return err
	}
	return r.readPairs(in, pairs)
}

func (r *Request) readPairs(in Input, pairs []pair) error {
	call, isCall := r.Action.(CallRoutine)
	var err error
	if r.Query, err = parseQuery(pairs, isCall && call.Invoke != InvokePost); err != nil {
		return err
	}
	w := readWindows(pairs)
	if r.Range, err = topRange(in.Method, in.Header["Range"], w.root()); err != nil {
		return err
	}
	r.FewRows = r.Range.few()
	if _, isMutation := r.Action.(MutateRelation); !isMutation {
		r.Query.Ranges, err = w.embeds()
	}
	return err
}

func contentType(values []string) media.Type {
	if len(values) == 0 {
		return media.Of(media.JSON)
	}
	return media.Parse(values[0])
}

// profile chooses the schema. Where there are several, even the default counts as chosen.
func profile(in Input, schemas []string) (schema string, negotiated bool, err error) {
	header := "Accept-Profile"
	switch in.Method {
	case "POST", "PATCH", "PUT", "DELETE":
		header = "Content-Profile"
	}
	wanted := in.Header[header]
	switch {
	case len(wanted) == 0:
		return schemas[0], len(schemas) != 1, nil
	case slices.Contains(schemas, wanted[0]):
		return wanted[0], true, nil
	}
	return "", false, UnknownSchema(wanted[0], schemas)
}

// UnknownSchema is the fault of a request for a schema that isn't exposed.
func UnknownSchema(schema string, exposed []string) error {
	return fault.New(fault.NotAcceptable, "PGRST106", "Invalid schema: "+schema).
		WithHint("Only the following schemas are exposed: " + strings.Join(exposed, ", "))
}
