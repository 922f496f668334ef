package exec

import (
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// Settings is a statement that sets settings for the transaction, from left to right. It is made once for their names,
// which are the database's and the server's own.
type Settings struct{ texts [4]string }

// The kinds of transactions, whose settings are set by different texts.
const (
	readOnlyText = 1 << iota // nothing may be written
	customText               // statements are planned for their values
)

// NewSettings makes a statement that sets the settings of these names, in this order.
func NewSettings(names []string) *Settings {
	var sql strings.Builder
	for i, name := range names {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString("set_config(" + sqlgen.QuoteLiteral(name) + ", $" + strconv.Itoa(i+1) + ", true)")
	}
	s := &Settings{}
	for kind := range s.texts {
		text := "SELECT "
		if kind&readOnlyText != 0 {
			text += "set_config('transaction_read_only', 'on', true), "
		}
		if kind&customText != 0 {
			text += "set_config('plan_cache_mode', 'force_custom_plan', true), "
		}
		s.texts[kind] = text + sql.String()
	}
	return s
}

func (s *Settings) text(readOnly, custom bool) string {
	kind := 0
	if readOnly {
		kind |= readOnlyText
	}
	if custom {
		kind |= customText
	}
	return s.texts[kind]
}

// prologue appends the steps before the statement: the settings in one SELECT, and the pre-request function.
func (r *Runner) prologue(steps []step, s Session, readOnly, custom bool) []step {
	steps = append(steps, step{statement: sqlgen.Statement{SQL: s.Settings.text(readOnly, custom)}, texts: s.Values})
	if s.PreRequest != "" {
		// Its own plan may depend on the role, so each role has one.
		steps = append(steps, step{statement: sqlgen.Statement{SQL: "SELECT " + s.PreRequest + "()"}, role: s.Role})
	}
	return steps
}

const oidText = 25
