package exec

import (
	"strconv"
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// Settings is a statement that sets settings for the transaction, from left to right. It is made once for their names,
// which are the database's and the server's own.
type Settings struct {
	texts [4]string
	bare  string // sets the first ones
}

// The kinds of transactions, whose settings are set by different texts.
const (
	readOnlyText = 1 << iota // nothing may be written
	customText               // statements are planned for their values
)

// What is set besides.
const (
	readOnly = "set_config('transaction_read_only', 'on', true), "
	custom   = "set_config('plan_cache_mode', 'force_custom_plan', true), "
	// noPolicies has a statement fail that a policy of row-level security is for.
	noPolicies = "set_config('row_security', 'off', true), "
)

// NewSettings makes a statement that sets the settings of these names, in this order. The first few are those that matter to
// any statement. The others only matter to code that asks for them.
func NewSettings(names []string, few int) *Settings {
	s := &Settings{bare: "SELECT " + readOnly + noPolicies + setConfigs(names[:few])}
	all := setConfigs(names)
	for kind := range s.texts {
		text := "SELECT "
		if kind&readOnlyText != 0 {
			text += readOnly
		}
		if kind&customText != 0 {
			text += custom
		}
		s.texts[kind] = text + all
	}
	return s
}

func setConfigs(names []string) string {
	var sql strings.Builder
	for i, name := range names {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString("set_config(" + sqlgen.QuoteLiteral(name) + ", $" + strconv.Itoa(i+1) + ", true)")
	}
	return sql.String()
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

// bareStep is the step that sets the settings where code that asks for the others can't run.
func bareStep(s *Session) step {
	return step{statement: sqlgen.Statement{SQL: s.Settings.bare}, texts: s.Values}
}

// prologue appends the steps before the statement: the settings in one SELECT, and the pre-request function.
func (r *Runner) prologue(steps []step, s *Session, readOnly, custom bool) []step {
	values := s.Values
	if s.Others != nil {
		values = s.Others(values)
	}
	steps = append(steps, step{statement: sqlgen.Statement{SQL: s.Settings.text(readOnly, custom)}, texts: values})
	if s.PreRequest != "" {
		// Its own plan may depend on the role, so each role has one.
		steps = append(steps, step{statement: sqlgen.Statement{SQL: "SELECT " + s.PreRequest + "()"}, role: s.Role})
	}
	return steps
}

const oidText = 25
