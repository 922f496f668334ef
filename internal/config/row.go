package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// row is a setting: all that is known of it.
type row struct {
	name       string
	before     []string // older names that go before the name
	after      []string // other names that count when there is nothing by the name
	typ        string   // for people
	initial    string   // value when there is none, as text; empty for none
	example    string   // value that an example shows, where there is no initial one
	inDatabase bool     // may be set in the database
	secret     bool     // must not be logged
	own        bool     // PostgREST doesn't have it
	doc        string

	// take takes a value over. It returns false for what is not a value of the type: it is as if it were not there.
	take func(*DataAPI, value) (bool, error)
	// dump renders the value as it would stand in a file.
	dump func(*DataAPI) string
}

// names are those under which a value is looked for, in order.
func (r *row) names() []string {
	return append(append(append([]string(nil), r.before...), r.name), r.after...)
}

func (r *row) environmentName(name string) string {
	prefix := "PGRST_"
	if r.own {
		prefix = "TARN_"
	}
	return prefix + strings.ToUpper(databaseName(name))
}

func databaseName(name string) string { return strings.ReplaceAll(name, "-", "_") }

// kind is how the values of a type are taken over and rendered.
type kind struct {
	typ  string
	take func(*DataAPI, value) (bool, error)
	dump func(*DataAPI) string
}

// setting makes a row of what most have.
func setting(name string, k kind, initial, doc string) row {
	return row{name: name, typ: k.typ, initial: initial, doc: doc, take: k.take, dump: k.dump}
}

func (r row) named(before, after []string) row {
	r.before, r.after = before, after
	return r
}

func (r row) inDB() row { r.inDatabase = true; return r }

func (r row) withSecret() row { r.secret = true; return r }

func (r row) ofTarn() row { r.own = true; return r }

func (r row) like(example string) row { r.example = example; return r }

func booleans(at func(*DataAPI) *bool) kind {
	return kind{
		typ: "boolean",
		take: func(c *DataAPI, v value) (bool, error) {
			b, ok := v.asBool()
			if ok {
				*at(c) = b
			}
			return ok, nil
		},
		dump: func(c *DataAPI) string { return strconv.FormatBool(*at(c)) },
	}
}

// integers are of a type that int64 converts to. Unset is the value that stands for none; it is rendered as empty text.
func integers[T ~int | ~int64](at func(*DataAPI) *T, scale, unset int64) kind {
	return kind{
		typ: "integer",
		take: func(c *DataAPI, v value) (bool, error) {
			n, ok := v.asInteger()
			if ok {
				*at(c) = T(n * scale)
			}
			return ok, nil
		},
		dump: func(c *DataAPI) string {
			n := int64(*at(c))
			if n == unset {
				return `""`
			}
			return strconv.FormatInt(n/scale, 10)
		},
	}
}

// megabytes can't be none: that is as if they were not there.
func megabytes(at func(*DataAPI) *int64) kind {
	k := integers(at, 1<<20, 0)
	k.take = func(c *DataAPI, v value) (bool, error) {
		n, ok := v.asInteger()
		if ok = ok && n > 0; ok {
			*at(c) = min(n, 1<<20) << 20
		}
		return ok, nil
	}
	return k
}

const never = -1 << 62 // an integer that no setting has

func counts(at func(*DataAPI) *int) kind { return integers(at, 1, never) }

func seconds(at func(*DataAPI) *time.Duration) kind {
	return integers(at, int64(time.Second), never)
}

// texts can't be empty: that is as if they were not there.
func texts(at func(*DataAPI) *string) kind {
	return checked(at, func(string) error { return nil })
}

func checked(at func(*DataAPI) *string, check func(string) error) kind {
	return kind{
		typ: "string",
		take: func(c *DataAPI, v value) (bool, error) {
			s := v.asText()
			if s == "" {
				return false, nil
			}
			*at(c) = s
			return true, check(s)
		},
		dump: func(c *DataAPI) string { return quote(*at(c)) },
	}
}

// lists are texts with commas between them, and any space around them.
func lists(at func(*DataAPI) *[]string, check func([]string) error) kind {
	return kind{
		typ: "list",
		take: func(c *DataAPI, v value) (bool, error) {
			s := v.asText()
			if s == "" {
				return false, nil
			}
			*at(c) = split(s)
			return true, check(*at(c))
		},
		dump: func(c *DataAPI) string { return quote(strings.Join(*at(c), ",")) },
	}
}

// emptyableLists can be empty.
func emptyableLists(at func(*DataAPI) *[]string) kind {
	k := lists(at, anyList)
	takeSome := k.take
	k.take = func(c *DataAPI, v value) (bool, error) {
		if v.asText() == "" {
			*at(c) = nil
			return true, nil
		}
		return takeSome(c, v)
	}
	return k
}

func anyList([]string) error { return nil }

func split(s string) []string {
	parts := strings.Split(s, ",")
	for i, p := range parts {
		parts[i] = strings.TrimSpace(p)
	}
	return parts
}

// choices are texts that stand for values; other texts are an error.
func choices[T ~uint8](at func(*DataAPI) *T, names []string, refusal string) kind {
	return kind{
		typ: "string",
		take: func(c *DataAPI, v value) (bool, error) {
			s := v.asText()
			if s == "" {
				return false, nil
			}
			for i, name := range names {
				if name == s {
					*at(c) = T(i)
					return true, nil
				}
			}
			return false, errors.New(refusal)
		},
		dump: func(c *DataAPI) string { return quote(names[*at(c)]) },
	}
}

// fileModes are octal.
func fileModes(name string, at func(*DataAPI) *fs.FileMode) kind {
	return kind{
		typ: "string",
		take: func(c *DataAPI, v value) (bool, error) {
			s := v.asText()
			if s == "" {
				return false, nil
			}
			octal := s[:len(s)-len(strings.TrimLeft(s, "01234567"))] // what comes after it doesn't count
			if octal == "" {
				return false, fmt.Errorf("Invalid %s: not an octal", name) //nolint:staticcheck // as PostgREST says it
			}
			mode, err := strconv.ParseUint(octal, 8, 32)
			if err != nil || mode < 0o600 || mode > 0o777 {
				return false, fmt.Errorf("Invalid %s: needs to be between 600 and 777", name) //nolint:staticcheck // likewise
			}
			*at(c) = fs.FileMode(mode)
			return true, nil
		},
		dump: func(c *DataAPI) string { return quote(strconv.FormatUint(uint64(*at(c)), 8)) },
	}
}
