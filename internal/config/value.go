package config

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// value is the value of a setting as it was written. From the environment and from the database it is always text.
type value struct {
	kind  valueKind
	text  string // of text, or the digits of a number
	truth bool   // of a boolean
}

type valueKind uint8

const (
	text valueKind = iota
	number
	boolean
	list
)

func textValue(s string) value { return value{kind: text, text: s} }

// asText returns text as it is. Of other values it returns what PostgREST makes of them.
func (v value) asText() string {
	switch v.kind {
	case text:
		return v.text
	case number:
		return "Number " + showNumber(v.text)
	case boolean:
		if v.truth {
			return "Bool True"
		}
		return "Bool False"
	default:
		return "List"
	}
}

// showNumber renders a number always with a fraction, and very great or small ones with an exponent.
func showNumber(s string) string {
	f, _ := strconv.ParseFloat(s, 64) // what is out of range is infinite
	format := byte('f')
	if f != 0 && (f < 0.1 || f >= 1e7) {
		format = 'e'
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, format, -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	if exponent == "" {
		return mantissa
	}
	n, _ := strconv.Atoi(exponent)
	return mantissa + "e" + strconv.Itoa(n)
}

// asInteger returns an integer, also one that is written as text.
func (v value) asInteger() (int64, bool) {
	switch v.kind {
	case text:
		n, err := strconv.ParseInt(strings.TrimSpace(v.text), 10, 64)
		return n, err == nil
	case number:
		if n, err := strconv.ParseInt(v.text, 10, 64); err == nil {
			return n, true
		}
		f, err := strconv.ParseFloat(v.text, 64)
		return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53
	case boolean, list:
	}
	return 0, false
}

// asBool returns a boolean, also one that is written as text: true and false in any case and with anything but letters
// around it, or an integer, of which those above zero are true.
func (v value) asBool() (truth, ok bool) {
	switch v.kind {
	case boolean:
		return v.truth, true
	case text:
		letters := strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) {
				return unicode.ToLower(r)
			}
			return -1
		}, v.text)
		if letters == "true" || letters == "false" {
			return letters == "true", true
		}
		n, ok := v.asInteger()
		return n > 0, ok
	case number, list:
	}
	return false, false
}
