package exec

import (
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// Settings is a statement that sets settings for the transaction, from left to right. It is made once for their names,
// which are the database's and the server's own.
type Settings struct{ write, read string }

// NewSettings makes a statement that sets the settings of these names, in this order.
func NewSettings(names []string) *Settings {
	var sql strings.Builder
	for i, name := range names {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString("set_config(" + sqlgen.QuoteLiteral(name) + ", $" + strconv.Itoa(i+1) + ", true)")
	}
	return &Settings{
		write: "SELECT " + sql.String(),
		read:  "SELECT set_config('transaction_read_only', 'on', true), " + sql.String(),
	}
}

// prologue are the steps before the statement: the settings in one SELECT, and the pre-request function.
func (r *Runner) prologue(s Session, readOnly bool) []step {
	set := step{texts: s.Values}
	if set.statement.SQL = s.Settings.write; readOnly {
		set.statement.SQL = s.Settings.read
	}
	steps := append(make([]step, 0, 5), set)
	if s.PreRequest != "" {
		// Its own plan may depend on the role, so each role has one.
		steps = append(steps, step{statement: sqlgen.Statement{SQL: "SELECT " + s.PreRequest + "()"}, role: s.Role})
	}
	return steps
}

const oidText = 25
