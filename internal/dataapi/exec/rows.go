package exec

import (
	"github.com/tarn-data/tarn/internal/dataapi/rowtext"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// flushAt is how many bytes of a body are kept before they go to the sink: up to here an answer can have a length.
const flushAt = 256 << 10

// maxKept is how large a buffer may have become to be used again.
const maxKept = 4 * flushAt

// takeBuffer takes a buffer for a body.
func (r *Runner) takeBuffer() *[]byte {
	if b, ok := r.buffers.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, 4096)
	return &b
}

// Recycle takes back the buffer of a result of RunRows, whose body must not be looked at any more.
func (r *Runner) Recycle(res *Result) {
	if b := res.buffer; b != nil && cap(res.Row.Body) <= maxKept {
		*b = res.Row.Body[:0]
		r.buffers.Put(b)
	}
}

// rowsReceiver renders rows as they arrive.
type rowsReceiver struct {
	result  *Result
	format  sqlgen.RowFormat
	sink    Sink
	all     bool // whether there are no other rows
	encoder rowtext.Encoder
}

func (r *rowsReceiver) begin(st *prepared) error {
	var ok bool
	if r.encoder, ok = st.encoder(r.format); !ok {
		return ErrUnknownType
	}
	return nil
}

func (r *rowsReceiver) row(values [][]byte) error {
	row := &r.result.Row
	first := row.Page == 0
	if first {
		row.Body = r.encoder.Begin(row.Body, true)
	}
	row.Body = r.encoder.Row(row.Body, values, first)
	row.Page++
	if len(row.Body) < flushAt || r.sink == nil {
		return nil
	}
	r.result.Streamed = true
	row.Before += int64(len(row.Body))
	err := r.sink(row.Body)
	row.Body = row.Body[:0]
	return err
}

func (r *rowsReceiver) end([]byte) {
	row := &r.result.Row
	if row.Page == 0 {
		row.Body = r.encoder.Begin(row.Body, false)
	}
	row.Body = r.encoder.End(row.Body)
	if r.all {
		row.Total = &row.Page
	}
}

func newEncoder(format sqlgen.RowFormat, fields []rowtext.Field) (rowtext.Encoder, bool) {
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
