package request

import (
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/fault"
)

// Parse reads what the client asks for.
func Parse(in Input, opt Options) (*Request, error) {
	action, err := resource(in, opt)
	if err != nil {
		return nil, err
	}
	schema, negotiated, err := profile(in, opt.Schemas)
	if err != nil {
		return nil, err
	}
	r := &Request{
		Action:     action,
		Method:     in.Method,
		URI:        in.URI,
		Schema:     schema,
		Negotiated: negotiated,
		Prefer:     ParsePrefer(in.Header["Prefer"], opt.TxAllowOverride),
		Accept:     media.ParseAccept(in.Header["Accept"]),
		Content:    contentType(in.Header),
	}
	return r, nil
}

func contentType(h map[string][]string) media.Type {
	if v := h["Content-Type"]; len(v) > 0 {
		return media.Parse(v[0])
	}
	return media.Of(media.JSON)
}

// profile chooses the schema.
func profile(in Input, schemas []string) (schema string, negotiated bool, err error) {
	header := "Accept-Profile"
	switch in.Method {
	case "POST", "PATCH", "PUT", "DELETE":
		header = "Content-Profile"
	}
	wanted := in.Header[header]
	if len(wanted) == 0 {
		return schemas[0], len(schemas) != 1, nil
	}
	for _, s := range schemas {
		if s == wanted[0] {
			return s, true, nil
		}
	}
	return "", false, UnknownSchema(wanted[0], schemas)
}

// UnknownSchema is the fault of a request for a schema that isn't exposed.
func UnknownSchema(schema string, exposed []string) error {
	return fault.New(fault.NotAcceptable, "PGRST106", "Invalid schema: "+schema).
		WithHint("Only the following schemas are exposed: " + strings.Join(exposed, ", "))
}
