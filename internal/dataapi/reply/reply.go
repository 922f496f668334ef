// Package reply provides the last value of a Data API request: status, headers and body. It doesn't know how they are
// written to the client.
package reply

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
	"github.com/tarn-data/tarn/internal/fault"
)

// Header is a response header.
type Header = fault.Header

// Reply is the answer to a request.
type Reply struct {
	Status  int
	Headers []Header
	Before  int64 // bytes of the body that are kept elsewhere and go before Body
	Body    []byte
}

func (r *Reply) add(name, value string) {
	if r.Headers == nil {
		r.Headers = make([]Header, 0, usualHeaders)
	}
	r.Headers = append(r.Headers, Header{Name: name, Value: value})
}

// usualHeaders is how many headers an answer seldom has more than.
const usualHeaders = 8

// length states the body's length; where a HEAD is answered, none is stated.
func (r *Reply) length() { r.add("Content-Length", strconv.FormatInt(r.Before+int64(len(r.Body)), 10)) }

// Has tells whether a header is there.
func (r *Reply) Has(name string) bool {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			return true
		}
	}
	return false
}

// New answers a plan that returned a row. Base is what goes before the API's own paths, where it isn't at the root.
func New(p plan.Plan, req *request.Request, row *sqlgen.Row, base string) (*Reply, error) {
	var r *Reply
	switch p := p.(type) {
	case *plan.Read:
		r = read(p, req, row, base)
	case *plan.Mutate:
		r = mutate(p, req, row, base)
	case *plan.Call:
		r = call(p, req, row)
	case *plan.Inspect, *plan.Info:
		return nil, fault.New(fault.Internal, "PGRSTX00", "this plan returns no row")
	}
	return r, override(r, row)
}

// Info answers OPTIONS.
func Info(p *plan.Info) *Reply {
	r := &Reply{Status: 200}
	r.length()
	r.add("Access-Control-Allow-Origin", "*")
	r.add("Allow", p.Allow)
	return r
}

// Document answers with the root document.
func Document(p *plan.Inspect, req *request.Request, body []byte) *Reply {
	r := &Reply{Status: 200}
	r.contentType(media.Of(media.OpenAPI), req)
	if !p.HeadersOnly {
		r.Body = body
		r.length()
	}
	return r
}

// Explained answers with an execution plan.
func Explained(t media.Type, req *request.Request, lines []byte) *Reply {
	r := &Reply{Status: 200, Body: lines}
	r.length()
	r.contentType(t, req)
	return r
}

func (r *Reply) contentType(t media.Type, req *request.Request) {
	r.add("Content-Type", t.ContentType())
	if req.Negotiated {
		r.add("Content-Profile", req.Schema)
	}
}

func (r *Reply) applied(p request.Prefer) {
	if v := p.Applied(); v != "" {
		r.add("Preference-Applied", v)
	}
}

func read(p *plan.Read, req *request.Request, row *sqlgen.Row, base string) *Reply {
	r := &Reply{}
	var contentRange string
	r.Status, contentRange = rangeStatus(req.Range, row)
	switch {
	case r.Status == int(fault.RangeUnsatisfiable):
		r.Body = outOfBounds(req.Range, row)
	case !p.HeadersOnly:
		r.Before, r.Body = row.Before, row.Body
	}
	r.add("Content-Range", contentRange)
	r.add("Content-Location", contentLocation(p, req, base))
	if !p.HeadersOnly {
		r.length()
	}
	r.contentType(p.Media, req)
	r.applied(preferencesOfRead(req.Prefer))
	return r
}

func contentLocation(p *plan.Read, req *request.Request, base string) string {
	location := base + "/" + p.Target.Name
	if req.Query.Canonical != "" {
		location += "?" + req.Query.Canonical
	}
	return location
}

// Streamed is the head of an answer whose rows are still arriving: how many there are isn't known.
func Streamed(p *plan.Read, req *request.Request, base string) *Reply {
	r := &Reply{Status: 200}
	r.add("Content-Range", "*/*")
	r.add("Content-Location", contentLocation(p, req, base))
	r.contentType(p.Media, req)
	r.applied(preferencesOfRead(req.Prefer))
	return r
}

// rangeStatus is the status and Content-Range of rows that were read.
func rangeStatus(rng request.Range, row *sqlgen.Row) (int, string) {
	lower, upper := rng.Offset, rng.Offset+row.Page-1
	return request.RangeStatus(lower, upper, row.Total), request.ContentRange(lower, upper, row.Total)
}

func outOfBounds(rng request.Range, row *sqlgen.Row) []byte {
	total := "0"
	if row.Total != nil {
		total = strconv.FormatInt(*row.Total, 10)
	}
	return errorBody(fault.New(fault.RangeUnsatisfiable, "PGRST103", "Requested range not satisfiable").
		WithDetails("An offset of "+strconv.FormatInt(rng.Offset, 10)+" was requested, but there are only "+total+" rows."), false)
}

func mutate(p *plan.Mutate, req *request.Request, row *sqlgen.Row, base string) *Reply {
	r := &Reply{}
	full := req.Prefer.Return == request.Representation
	if full {
		r.Before, r.Body = row.Before, row.Body
	}
	var total *int64
	if req.Prefer.Count == request.Exact || req.Prefer.Count == request.Estimated {
		total = &row.Page
	}
	switch p.Mutation {
	case request.Insert:
		r.Status = 201
		if req.Prefer.Resolution == request.MergeDuplicates && (row.Inserted == nil || *row.Inserted <= 0) {
			r.Status = 200
		}
		r.length()
		if l := location(p.Target.Name, row.Location); l != "" {
			r.add("Location", base+l)
		}
		r.add("Content-Range", request.ContentRange(1, 0, total))
	case request.Update:
		r.Status = full204(full)
		r.add("Content-Range", request.ContentRange(0, row.Page-1, total))
	case request.Upsert:
		r.Status = full204(full)
		if full && row.Inserted != nil && *row.Inserted > 0 {
			r.Status = 201
		}
	case request.Delete:
		r.Status = full204(full)
		r.add("Content-Range", request.ContentRange(1, 0, total))
	}
	if full && p.Mutation != request.Insert {
		r.length()
	}
	if full {
		r.contentType(p.Media, req)
	}
	r.applied(preferencesOfMutation(p, req))
	return r
}

func full204(full bool) int {
	if full {
		return 200
	}
	return 204
}

// location is the path of the row that was inserted.
func location(relation string, pairs []byte) string {
	var columns [][2]string
	if pairs == nil || json.Unmarshal(pairs, &columns) != nil {
		return ""
	}
	var b strings.Builder
	b.WriteString("/")
	b.WriteString(relation)
	for i, c := range columns {
		if i == 0 {
			b.WriteByte('?')
		} else {
			b.WriteByte('&')
		}
		b.WriteString(encodeQuery(c[0]))
		b.WriteByte('=')
		b.WriteString(encodeQuery(c[1]))
	}
	return b.String()
}

// encodeQuery escapes all but the unreserved characters of RFC 3986.
func encodeQuery(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

func call(p *plan.Call, req *request.Request, row *sqlgen.Row) *Reply {
	r := &Reply{}
	head := p.Invoke == request.InvokeHead
	var contentRange string
	r.Status, contentRange = rangeStatus(req.Range, row)
	r.add("Content-Range", contentRange)
	r.applied(preferencesOfCall(req.Prefer))
	if p.Routine.ReturnsVoid() {
		r.Status = 204
		return r
	}
	if r.Status == int(fault.RangeUnsatisfiable) {
		r.Body = outOfBounds(req.Range, row)
	} else {
		r.Body = row.Body
	}
	if head {
		r.Body = nil
	} else {
		r.length()
	}
	r.contentType(p.Media, req)
	return r
}
