package exec

import (
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/dataapi/rowtext"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// flushAt is how many bytes of a body are kept before they go to the sink: up to here an answer can have a length.
const flushAt = 256 << 10

// maxKept is how large a buffer may have become to be used again.
const maxKept = 4 * flushAt

func (r *Runner) takeBuffer() []byte {
	if b, ok := r.buffers.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, 4096)
}

// Recycle takes back the buffer of a result of RunRows, whose body must not be looked at any more.
func (r *Runner) Recycle(res *Result) {
	if b := res.Row.Body; cap(b) > 0 && cap(b) <= maxKept {
		r.buffers.Put(&b)
	}
}

// rowsReader renders rows as they arrive.
func (r *Result) rowsReader(format sqlgen.RowFormat, j *job) func(*pgconn.ResultReader) {
	return func(rr *pgconn.ResultReader) {
		enc, ok := encoderOf(format, rr.FieldDescriptions())
		if !ok {
			r.failed = ErrUnknownType
			return
		}
		body := j.buffer
		for rr.NextRow() {
			first := r.Row.Page == 0
			if first {
				body = enc.Begin(body, true)
			}
			body = enc.Row(body, rr.Values(), first)
			r.Row.Page++
			if len(body) < flushAt || j.sink == nil {
				continue
			}
			r.Streamed = true
			r.Row.Before += int64(len(body))
			if r.failed = j.sink(body); r.failed != nil {
				j.cancel() // nobody wants the rest
				return
			}
			body = body[:0]
		}
		if r.Row.Page == 0 {
			body = enc.Begin(body, false)
		}
		r.Row.Body = enc.End(body)
	}
}

func encoderOf(format sqlgen.RowFormat, columns []pgconn.FieldDescription) (rowtext.Encoder, bool) {
	fields := make([]rowtext.Field, len(columns))
	for i, c := range columns {
		fields[i] = rowtext.Field{Name: c.Name, OID: c.DataTypeOID}
	}
	switch format {
	case sqlgen.CSVRows:
		return rowtext.NewCSV(fields), true
	case sqlgen.NDJSONRows:
		return rowtext.NewNDJSON(fields)
	case sqlgen.RenderedJSON, sqlgen.RenderedNDJSON:
		return rowtext.Rendered{Lines: format == sqlgen.RenderedNDJSON}, true
	case sqlgen.JSONRows, sqlgen.NoRows:
	}
	return rowtext.NewJSON(fields)
}

// readSettings reads what the request's SQL has set of the response.
func (r *Result) readSettings(rr *pgconn.ResultReader) {
	for rr.NextRow() {
		v := rr.Values()
		if v[0] != nil {
			r.Row.Headers = append([]byte(nil), v[0]...)
		}
		r.Row.Status = string(v[1])
		if len(v) > 2 {
			r.Row.Inserted = number(v[2])
		}
	}
}
