package store

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/control/identity"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/scim"
)

// valueType is the type of an attribute.
type valueType uint8

const (
	folded valueType = iota // text whose case doesn't count
	exact                   // text whose case counts
	truth
	moment
)

// column is where an attribute of p, or of one of its values e, is.
type column struct {
	sql string
	typ valueType
}

// single are the attributes with one value, by their names in lower case.
func single(kind auth.Kind, a scim.Attr) (column, bool) {
	switch a.String() {
	case "id":
		return column{"p.id::text", exact}, true
	case "externalid":
		return column{"p.external_id", exact}, true
	case "displayname":
		if kind == identity.Group {
			return column{"p.name", folded}, true
		}
		return column{"p.display_name", folded}, true
	case "username":
		return column{"p.name", folded}, kind == auth.User
	case "applicationid":
		return column{"p.name", folded}, kind == auth.ServicePrincipal
	case "active":
		return column{"p.active", truth}, kind != identity.Group
	case "name.givenname":
		return column{"p.given_name", folded}, kind == auth.User
	case "name.familyname":
		return column{"p.family_name", folded}, kind == auth.User
	case "meta.created":
		return column{"p.created_at", moment}, true
	case "meta.lastmodified":
		return column{"p.updated_at", moment}, true
	}
	return column{}, false
}

// multiple are the attributes with many values: where these come from, as e, and what each has.
func multiple(name string) (from string, columns map[string]column) {
	value := func(sql string) column { return column{sql, folded} }
	switch name {
	case "emails":
		return "jsonb_array_elements(p.emails) e", map[string]column{
			"value": value("e->>'value'"), "type": value("e->>'type'"), "primary": {"coalesce((e->>'primary')::boolean, false)", truth},
		}
	case "entitlements", "roles":
		return "unnest(p." + name + ") e", map[string]column{"value": value("e")}
	case "groups":
		return "members m JOIN principals e ON m.group_id = e.id AND m.member_id = p.id",
			map[string]column{"value": {"e.id::text", exact}, "display": value("e.name")}
	case "members":
		return "members m JOIN principals e ON m.member_id = e.id AND m.group_id = p.id",
			map[string]column{"value": {"e.id::text", exact}, "display": value("e.display_name"), "type": value("e.kind")}
	}
	return "", nil
}

// condition is a filter as SQL. What the client wrote is in the arguments only.
type condition struct {
	kind auth.Kind
	args []any
	text strings.Builder
}

func (c *condition) arg(v any) string {
	c.args = append(c.args, v)
	return "$" + strconv.Itoa(len(c.args))
}

func (c *condition) write(parts ...string) {
	for _, s := range parts {
		c.text.WriteString(s)
	}
}

// filter writes a filter. Columns are those of the values of the attribute that it stands in; nil outside of any.
func (c *condition) filter(f scim.Filter, columns map[string]column) error {
	switch f := f.(type) {
	case *scim.Both:
		return c.pair(f.Left, " AND ", f.Right, columns)
	case *scim.Either:
		return c.pair(f.Left, " OR ", f.Right, columns)
	case *scim.Not:
		// A missing value makes no condition true, and so its contrary is.
		c.write("(NOT coalesce(")
		if err := c.filter(f.Filter, columns); err != nil {
			return err
		}
		c.write(", false))")
		return nil
	case *scim.Within:
		from, inner := multiple(f.Attr.Name)
		if columns != nil || from == "" || f.Attr.Sub != "" {
			return unknownAttribute(f.Attr)
		}
		c.write("EXISTS (SELECT FROM ", from, " WHERE ")
		if err := c.filter(f.Filter, inner); err != nil {
			return err
		}
		c.write(")")
		return nil
	case *scim.Compare:
		return c.compare(f, columns)
	}
	return nil
}

func (c *condition) pair(left scim.Filter, op string, right scim.Filter, columns map[string]column) error {
	c.write("(")
	if err := c.filter(left, columns); err != nil {
		return err
	}
	c.write(op)
	if err := c.filter(right, columns); err != nil {
		return err
	}
	c.write(")")
	return nil
}

func (c *condition) compare(f *scim.Compare, columns map[string]column) error {
	if columns != nil {
		col, ok := columns[f.Attr.Name]
		if !ok || f.Attr.Sub != "" {
			return unknownAttribute(f.Attr)
		}
		return c.column(col, f)
	}
	if col, ok := single(c.kind, f.Attr); ok {
		return c.column(col, f)
	}
	from, inner := multiple(f.Attr.Name)
	sub := f.Attr.Sub
	if sub == "" {
		sub = "value"
	}
	col, ok := inner[sub]
	if from == "" || !ok {
		return unknownAttribute(f.Attr)
	}
	c.write("EXISTS (SELECT FROM ", from, " WHERE ")
	if err := c.column(col, f); err != nil {
		return err
	}
	c.write(")")
	return nil
}

func (c *condition) column(col column, f *scim.Compare) error {
	if f.Op == scim.Pr || f.Value == nil {
		if f.Value == nil && f.Op != scim.Pr && f.Op != scim.Eq && f.Op != scim.Ne {
			return invalidFilter("null can only be compared by eq and ne.")
		}
		c.write("(", col.sql, " IS NOT NULL")
		if col.typ == folded || col.typ == exact {
			c.write(" AND ", col.sql, " <> ''")
		}
		c.write(")")
		if f.Op == scim.Eq {
			c.write(" IS FALSE")
		}
		return nil
	}
	switch col.typ {
	case truth:
		return c.truth(col, f)
	case moment:
		return c.moment(col, f)
	case folded, exact:
	}
	var value string
	switch v := f.Value.(type) {
	case string:
		value = v
	case json.Number:
		value = v.String()
	default:
		return invalidFilter("'" + f.Attr.String() + "' is a text.")
	}
	sql, arg := col.sql, c.arg(value)+"::text"
	if col.typ == folded {
		sql, arg = "lower("+sql+")", "lower("+arg+")"
	}
	switch f.Op {
	case scim.Co:
		c.write("strpos(", sql, ", ", arg, ") > 0")
	case scim.Sw:
		c.write("starts_with(", sql, ", ", arg, ")")
	case scim.Ew:
		c.write("right(", sql, ", length(", arg, ")) = ", arg)
	default:
		c.write(sql, ordering(f.Op), arg)
	}
	return nil
}

func (c *condition) truth(col column, f *scim.Compare) error {
	value, ok := f.Value.(bool)
	if s, is := f.Value.(string); is { // as some clients write it
		value, ok = strings.EqualFold(s, "true"), strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
	}
	if !ok || (f.Op != scim.Eq && f.Op != scim.Ne) {
		return invalidFilter("'" + f.Attr.String() + "' can only be compared to true and false, by eq and ne.")
	}
	c.write(col.sql, ordering(f.Op), c.arg(value), "::boolean")
	return nil
}

func (c *condition) moment(col column, f *scim.Compare) error {
	text, _ := f.Value.(string)
	at, err := time.Parse(time.RFC3339, text)
	sql := ordering(f.Op)
	if err != nil || sql == "" {
		return invalidFilter("'" + f.Attr.String() + "' is a time, such as 2026-01-31T12:00:00Z.")
	}
	// To the second, as clients get to see it.
	c.write("date_trunc('second', ", col.sql, ")", sql, c.arg(at), "::timestamptz")
	return nil
}

// ordering is the operator of SQL; empty for those of texts alone.
func ordering(op scim.Op) string {
	switch op {
	case scim.Eq:
		return " = "
	case scim.Ne:
		return " IS DISTINCT FROM "
	case scim.Gt:
		return " > "
	case scim.Ge:
		return " >= "
	case scim.Lt:
		return " < "
	case scim.Le:
		return " <= "
	case scim.Co, scim.Sw, scim.Ew, scim.Pr:
	}
	return ""
}

// orderBy is how a list is sorted.
func orderBy(kind auth.Kind, by scim.Attr, desc bool) (string, error) {
	sql := "p.id"
	if by.Name != "" && by.Name != "id" {
		col, ok := single(kind, by)
		if !ok {
			return "", fault.New(fault.Invalid, "invalidPath", "Lists can't be sorted by '"+by.String()+"'.")
		}
		if sql = col.sql; col.typ == folded {
			sql = "lower(" + sql + ")"
		}
	}
	if desc {
		return sql + " DESC, p.id DESC", nil
	}
	return sql + ", p.id", nil
}

func unknownAttribute(a scim.Attr) error {
	return invalidFilter("There is no attribute '" + a.String() + "'.")
}

func invalidFilter(why string) error {
	return fault.New(fault.Invalid, "invalidFilter", "The filter makes no sense. "+why)
}
