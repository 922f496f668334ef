package payload

import (
	"bytes"
	"errors"
	"io"
)

// lines makes one array of a JSON value a line. What isn't one, the array's reader finds out.
type lines struct {
	in    io.Reader
	begun bool
	some  bool // whether there was a line that isn't empty
	gap   bool // whether a line has ended since
	err   error
}

// NewLines makes a reader of JSON lines as one array.
func NewLines(in io.Reader) io.Reader { return &lines{in: in} }

// Read implements io.Reader. It reads to where the lines can be moved from to the front, with a bracket or comma that they
// didn't have there, and a bracket after them.
func (l *lines) Read(p []byte) (int, error) {
	const room = 4
	if len(p) <= room {
		return 0, io.ErrShortBuffer
	}
	if l.err != nil {
		return 0, l.err
	}
	n, err := l.in.Read(p[room:])
	out := p[:0]
	if !l.begun {
		l.begun = true
		out = append(out, '[')
	}
	out = l.translate(out, p[room:][:n])
	if errors.Is(err, io.EOF) {
		out = append(out, ']')
	}
	l.err = err
	if len(out) > 0 {
		return len(out), nil
	}
	return 0, err
}

// translate writes lines with commas between them. It may write over what it has read.
func (l *lines) translate(out, in []byte) []byte {
	for len(in) > 0 {
		if l.gap || !l.some {
			in = bytes.TrimLeft(in, " \t\r\n")
			if len(in) == 0 {
				return out
			}
			if l.some {
				out = append(out, ',')
			}
			l.some, l.gap = true, false
		}
		end := bytes.IndexByte(in, '\n')
		if end < 0 {
			return append(out, in...)
		}
		out, in = append(out, in[:end]...), in[end+1:]
		l.gap = true
	}
	return out
}

// FromLines makes one array of a JSON value a line.
func FromLines(body []byte) []byte {
	l := &lines{}
	return append(l.translate(append(make([]byte, 0, len(body)+2), '['), body), ']')
}
