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

// settings is a SELECT that sets everything for the transaction, from left to right.
func settings(s Session, readOnly bool) sqlgen.Statement {
	var sql strings.Builder
	sql.Grow(40 * (len(s.Settings) + 1))
	sql.WriteString("SELECT ")
	if readOnly {
		sql.WriteString("set_config('transaction_read_only', 'on', true), ")
	}
	args := make([]sqlgen.Arg, 0, 2*len(s.Settings))
	for i, setting := range s.Settings {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString("set_config($")
		sql.WriteString(strconv.Itoa(2*i + 1))
		sql.WriteString(", $")
		sql.WriteString(strconv.Itoa(2*i + 2))
		sql.WriteString(", true)")
		args = append(args, sqlgen.Arg{Value: []byte(setting.Name)}, sqlgen.Arg{Value: []byte(setting.Value)})
	}
	return sqlgen.Statement{SQL: sql.String(), Args: args}
}
