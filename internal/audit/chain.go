package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Hash is that of a record and of all before it.
type Hash [sha256.Size]byte

// String implements fmt.Stringer.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hash) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(h) {
		return fmt.Errorf("%q is not the hash of a record", text)
	}
	copy(h[:], b)
	return nil
}

// Head is the last record that somebody knows of. The one of an empty log is zero.
type Head struct {
	Sequence int64 `json:"sequence"`
	Hash     Hash  `json:"hash"`
}

// String implements fmt.Stringer.
func (h Head) String() string { return strconv.FormatInt(h.Sequence, 10) + ":" + h.Hash.String() }

// ParseHead reads what String has written.
func ParseHead(text string) (Head, error) {
	var h Head
	number, hash, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 {
		return h, fmt.Errorf("%q is not of the form SEQUENCE:HASH", text)
	}
	h.Sequence = n
	return h, h.Hash.UnmarshalText([]byte(hash))
}

// Next is the head after one more record: the SHA-256 of the hash before, the sequence number as eight bytes with the
// highest first, and the record's bytes.
func (h Head) Next(record []byte) Head {
	sum := sha256.New()
	sum.Write(h.Hash[:])
	var number [8]byte
	next := Head{Sequence: h.Sequence + 1}
	binary.BigEndian.PutUint64(number[:], uint64(next.Sequence)) //nolint:gosec // counted from 0
	sum.Write(number[:])
	sum.Write(record)
	sum.Sum(next.Hash[:0])
	return next
}
