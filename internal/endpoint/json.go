package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/fault"
)

// JSON makes a function of one from a value to a value. The input is a struct: its fields are read from the body by
// their json names, from the query string by the names of their query tags (or of their json tags, for requests without a
// body), and from the path by the names of their path tags. What isn't known is ignored. An input that has Validate is
// asked. A field with the tag audit:"-" is a secret that must not be recorded.
//
// The output is written as JSON with status 200. An output of type Response says otherwise; of None nothing is
// written but {}.
func JSON[In, Out any](f func(ctx context.Context, in In) (Out, error)) Function {
	return typed[In, Out](f)
}

// None is the input or the output of an operation that has none.
type None struct{}

// Response is an output with more than a body.
type Response struct {
	Status int
	Header http.Header
	Body   any // nil for none
}

// Rendered is a body that is JSON already.
type Rendered []byte

type typed[In, Out any] func(ctx context.Context, in In) (Out, error)

// Types implements Function.
func (typed[In, Out]) Types() (in, out reflect.Type) {
	return reflect.TypeFor[In](), reflect.TypeFor[Out]()
}

// Serve implements Function.
func (f typed[In, Out]) Serve(w http.ResponseWriter, r *http.Request, c *Call) error {
	var in In
	if err := decode(r, &in); err != nil {
		return err
	}
	c.note(&in)
	if v, ok := any(&in).(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return err
		}
	}
	out, err := f(r.Context(), in)
	if err != nil {
		return err
	}
	return Write(w, out)
}

// Write writes an output as JSON.
func Write(w http.ResponseWriter, out any) error {
	res, ok := out.(Response)
	if !ok {
		res = Response{Status: http.StatusOK, Body: out}
	}
	body, rendered := res.Body.(Rendered)
	if res.Body != nil && !rendered {
		var err error
		if body, err = json.Marshal(res.Body); err != nil {
			return err
		}
	}
	h := w.Header()
	maps.Copy(h, res.Header)
	if res.Body != nil {
		if h.Get("Content-Type") == "" {
			h.Set("Content-Type", "application/json")
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(res.Status)
	_, _ = w.Write(body) // the client may be gone
	return nil
}

// decode reads an input from all parts of a request.
func decode(r *http.Request, in any) error {
	body := false
	if r.Body != nil && r.Body != http.NoBody {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return bodyFault(err)
		}
		if body = len(strings.TrimSpace(string(text))) > 0; body {
			if err := json.Unmarshal(text, in); err != nil {
				return jsonFault(err)
			}
		}
	}
	t := reflect.TypeOf(in).Elem()
	if t.Kind() != reflect.Struct {
		return nil
	}
	return decodeURL(r, reflect.ValueOf(in).Elem(), body)
}

// DecodeQuery reads an input from the query string and the path alone, for functions made by Raw.
func DecodeQuery(r *http.Request, in any) error {
	return decodeURL(r, reflect.ValueOf(in).Elem(), false)
}

func decodeURL(r *http.Request, v reflect.Value, body bool) error {
	var query url.Values
	if r.URL.RawQuery != "" {
		query = r.URL.Query()
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			if err := decodeURL(r, v.Field(i), body); err != nil {
				return err
			}
			continue
		}
		if name := field.Tag.Get("path"); name != "" {
			if err := setText(v.Field(i), name, r.PathValue(name)); err != nil {
				return err
			}
			continue
		}
		name := field.Tag.Get("query")
		if name == "" && !body {
			name, _, _ = strings.Cut(field.Tag.Get("json"), ",")
		}
		if name == "" || name == "-" || !query.Has(name) {
			continue
		}
		if v.Field(i).Kind() == reflect.Slice && v.Field(i).Type().Elem().Kind() == reflect.String {
			v.Field(i).Set(reflect.ValueOf(query[name]).Convert(v.Field(i).Type()))
			continue
		}
		if err := setText(v.Field(i), name, query.Get(name)); err != nil {
			return err
		}
	}
	return nil
}

// setText sets a field from text.
func setText(v reflect.Value, name, text string) error {
	var err error
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return setText(v.Elem(), name, text)
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(text)
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		var n int64
		n, err = strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(n)
	default:
		err = json.Unmarshal([]byte(text), v.Addr().Interface())
	}
	if err != nil {
		return Invalid("The value of '" + name + "' is not " + article(v.Kind()) + ".").WithCause(err)
	}
	return nil
}

func article(k reflect.Kind) string {
	switch k { //nolint:exhaustive // the others are said in general
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "an integer"
	}
	return "of the right form"
}

func bodyFault(err error) error {
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return known
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.New(fault.TooLarge, "MAX_REQUEST_SIZE_EXCEEDED", "The request's body is larger than the server accepts.")
	}
	return fault.New(fault.Invalid, "MALFORMED_REQUEST", "The request's body could not be read.").WithCause(err)
}

func jsonFault(err error) error {
	if bad, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fault.New(fault.Invalid, "MALFORMED_REQUEST", "The value of '"+bad.Field+"' can't be "+bad.Value+".").WithCause(err)
	}
	if known, ok := errors.AsType[*fault.Error](err); ok {
		return known
	}
	return fault.New(fault.Invalid, "MALFORMED_REQUEST", "The request's body is not a JSON object of the expected form.").WithCause(err)
}

// Answering says what the body is of a function's output of type Response, for those who describe it.
func Answering[Body any](f Function) Function { return answering[Body]{f} }

type answering[Body any] struct{ Function }

// Types implements Function.
func (f answering[Body]) Types() (in, out reflect.Type) {
	in, _ = f.Function.Types()
	return in, reflect.TypeFor[Body]()
}
