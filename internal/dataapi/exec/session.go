package exec

import (
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// prologue are the steps before the statement: the settings in one SELECT, and the pre-request function.
func (r *Runner) prologue(s Session, readOnly bool) []step {
	set := settings(s, readOnly)
	steps := make([]step, 0, 5)
	steps = append(steps, step{statement: set, key: set.SQL, rows: discard})
	if s.PreRequest != "" {
		pre := sqlgen.Statement{SQL: "SELECT " + s.PreRequest + "()"}
		// Its own plan may depend on the role, so each role has one.
		steps = append(steps, step{statement: pre, key: s.Role + "\x00" + pre.SQL, rows: discard})
	}
	return steps
}

// settings is a SELECT that sets everything for the transaction, from left to right. Names that every request sets are
// part of the text, so that the server has fewer parameters to take in.
func settings(s Session, readOnly bool) sqlgen.Statement {
	var sql strings.Builder
	sql.Grow(48 * (len(s.Settings) + 1))
	sql.WriteString("SELECT ")
	if readOnly {
		sql.WriteString("set_config('transaction_read_only', 'on', true), ")
	}
	args := make([]sqlgen.Arg, 0, len(s.Settings)+4)
	param := func(value string) {
		args = append(args, sqlgen.Arg{OID: oidText, Value: []byte(value)})
		sql.WriteByte('$')
		sql.WriteString(strconv.Itoa(len(args)))
	}
	for i, setting := range s.Settings {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString("set_config(")
		if known(setting.Name) {
			sql.WriteByte('\'')
			sql.WriteString(setting.Name)
			sql.WriteByte('\'')
		} else {
			param(setting.Name)
		}
		sql.WriteString(", ")
		param(setting.Value)
		sql.WriteString(", true)")
	}
	return sqlgen.Statement{SQL: sql.String(), Args: args}
}

const oidText = 25

// known tells whether a setting is one that every request sets.
func known(name string) bool {
	switch name {
	case "search_path", SetRole, "request.jwt.claims", "request.method", "request.path", "request.headers", "request.cookies":
		return true
	}
	return false
}
