package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const maxLine = 1 << 20

// VerifyExport follows the chain through an export of all records, and looks for heads that were known before. What came
// before its first record is taken as the export says.
func VerifyExport(r io.Reader, known []Head) (*Report, error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	var v *Verifier
	for n := 1; in.Scan(); n++ {
		var shown ExportLine
		if err := json.Unmarshal(in.Bytes(), &shown); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if v == nil {
			if shown.Previous == nil {
				return nil, errors.New("these are only some of the records: they are no chain")
			}
			v = NewVerifier(Head{Sequence: shown.Sequence - 1, Hash: *shown.Previous}, known)
			if v.at.Sequence == 0 && v.at.Hash != (Hash{}) {
				v.report.problem("The first record says that there was one before.")
			}
		}
		line := Line{Sequence: shown.Sequence, Hash: shown.Hash}
		var err error
		if line.Entry, err = ParseEntry(shown.Record); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		v.Next(line)
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	if v == nil {
		v = NewVerifier(Head{}, known)
	}
	return v.Report(), nil
}
