package synctable

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Parquet is a Parquet file with flat columns.
type Parquet struct {
	file   *os.File
	parsed *parquet.File
	render []renderer // one a column
}

// renderer appends a value in the text form of COPY.
type renderer func(b []byte, v parquet.Value) []byte

// NewParquet makes a source of a file, which it takes over.
func NewParquet(file *os.File) *Parquet { return &Parquet{file: file} }

// Columns implements Source.
func (p *Parquet) Columns(context.Context) ([]Column, error) {
	info, err := p.file.Stat()
	if err != nil {
		return nil, err
	}
	if p.parsed, err = parquet.OpenFile(p.file, info.Size()); err != nil {
		return nil, failed("The file isn't Parquet: %v.", err)
	}
	var columns []Column
	for _, field := range p.parsed.Schema().Fields() {
		if !field.Leaf() || field.Repeated() {
			return nil, failed("The column %q is nested, which can't be copied.", field.Name())
		}
		typing, render, err := mapping(field.Type())
		if err != nil {
			return nil, failed("The column %q %v.", field.Name(), err)
		}
		columns = append(columns, Column{field.Name(), typing})
		p.render = append(p.render, render)
	}
	return columns, nil
}

// Copy implements Source.
func (p *Parquet) Copy(ctx context.Context, w io.Writer) error {
	const batch = 256
	rows := make([]parquet.Row, batch)
	var out []byte
	for _, group := range p.parsed.RowGroups() {
		reader := group.Rows()
		for {
			n, err := reader.ReadRows(rows)
			out = out[:0]
			for _, row := range rows[:n] {
				out = p.appendRow(out, row)
			}
			if _, werr := w.Write(out); werr != nil {
				_ = reader.Close()
				return werr
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err = errors.Join(err, ctx.Err()); err != nil {
				_ = reader.Close()
				return err
			}
		}
		if err := reader.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Parquet) appendRow(b []byte, row parquet.Row) []byte {
	for i, v := range row {
		if i > 0 {
			b = append(b, '\t')
		}
		if v.IsNull() {
			b = append(b, `\N`...)
			continue
		}
		b = p.render[i](b, v)
	}
	return append(b, '\n')
}

// Format implements Source.
func (*Parquet) Format() string { return "FORMAT text" }

// Close implements Source.
func (p *Parquet) Close() { _ = p.file.Close() }

// mapping is the type that a column has in PostgreSQL, and how its values are written.
func mapping(t parquet.Type) (string, renderer, error) {
	if l := t.LogicalType(); l != nil {
		if name, render, ok := logical(t, l); ok {
			return name, render, nil
		}
	}
	switch t.Kind() {
	case parquet.Boolean:
		return "boolean", func(b []byte, v parquet.Value) []byte { return strconv.AppendBool(b, v.Boolean()) }, nil
	case parquet.Int32:
		return "integer", func(b []byte, v parquet.Value) []byte { return strconv.AppendInt(b, int64(v.Int32()), 10) }, nil
	case parquet.Int64:
		return "bigint", appendInt64, nil
	case parquet.Float:
		return "real", func(b []byte, v parquet.Value) []byte { return appendFloat(b, float64(v.Float()), 32) }, nil
	case parquet.Double:
		return "double precision", func(b []byte, v parquet.Value) []byte { return appendFloat(b, v.Double(), 64) }, nil
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return "bytea", func(b []byte, v parquet.Value) []byte { return hex.AppendEncode(append(b, `\\x`...), v.ByteArray()) }, nil
	case parquet.Int96:
	}
	return "", nil, fmt.Errorf("has the type %s, which can't be copied", t)
}

func logical(t parquet.Type, l *format.LogicalType) (string, renderer, bool) {
	switch l := l.Value.(type) {
	case *format.StringType, *format.EnumType:
		return "text", appendText, true
	case *format.JsonType:
		return "jsonb", appendText, true
	case *format.UUIDType:
		return "uuid", func(b []byte, v parquet.Value) []byte { return hex.AppendEncode(b, v.ByteArray()) }, true
	case *format.DateType:
		return "date", func(b []byte, v parquet.Value) []byte {
			return time.Unix(0, 0).UTC().AddDate(0, 0, int(v.Int32())).AppendFormat(b, time.DateOnly)
		}, true
	case *format.TimestampType:
		return timestamp(l)
	case *format.DecimalType:
		return fmt.Sprintf("numeric(%d,%d)", l.Precision, l.Scale), decimal(t.Kind(), int(l.Scale)), true
	case *format.IntType:
		if l.IsSigned || l.BitWidth < 32 {
			return "", nil, false
		}
		if l.BitWidth == 32 {
			return "bigint", func(b []byte, v parquet.Value) []byte { return strconv.AppendUint(b, uint64(v.Uint32()), 10) }, true
		}
		return "numeric(20)", func(b []byte, v parquet.Value) []byte { return strconv.AppendUint(b, v.Uint64(), 10) }, true
	}
	return "", nil, false
}

func timestamp(l *format.TimestampType) (string, renderer, bool) {
	if l.Unit.Value == nil {
		return "", nil, false
	}
	name := "timestamp"
	if l.IsAdjustedToUTC {
		name = "timestamptz"
	}
	unit := l.Unit.Value.Duration()
	per := int64(time.Second / unit)
	return name, func(b []byte, v parquet.Value) []byte {
		at := v.Int64()
		return time.Unix(at/per, at%per*int64(unit)).UTC().AppendFormat(b, "2006-01-02 15:04:05.999999Z07:00")
	}, true
}

func decimal(kind parquet.Kind, scale int) renderer {
	return func(b []byte, v parquet.Value) []byte {
		n := new(big.Int)
		switch kind {
		case parquet.Int32:
			n.SetInt64(int64(v.Int32()))
		case parquet.Int64:
			n.SetInt64(v.Int64())
		default: // big-endian two's complement
			bytes := v.ByteArray()
			n.SetBytes(bytes)
			if len(bytes) > 0 && bytes[0]&0x80 != 0 {
				n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(bytes))*8))
			}
		}
		return fmt.Appendf(b, "%se-%d", n, scale)
	}
}

func appendInt64(b []byte, v parquet.Value) []byte { return strconv.AppendInt(b, v.Int64(), 10) }

func appendFloat(b []byte, f float64, bits int) []byte {
	return strconv.AppendFloat(b, f, 'g', -1, bits)
}

// appendText appends a text as COPY wants it.
func appendText(b []byte, v parquet.Value) []byte { return appendEscaped(b, v.ByteArray()) }

func appendEscaped(b, text []byte) []byte {
	for _, c := range text {
		switch c {
		case '\\':
			b = append(b, `\\`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, c)
		}
	}
	return b
}
