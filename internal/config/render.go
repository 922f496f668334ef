package config

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Dump renders the settings as a configuration file, by name. Secrets are among them.
func (c *DataAPI) Dump() string { return c.dump(false) }

func (c *DataAPI) dump(redacted bool) string {
	var lines []string
	add := func(name, v string, secret bool) {
		if secret && redacted && v != `""` {
			v = `"***"`
		}
		lines = append(lines, name+" = "+v+"\n")
	}
	for _, r := range rows() {
		add(r.name, r.dump(c), r.secret)
	}
	for _, s := range c.AppSettings {
		add(s.Name, quote(s.Value), true)
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// quote renders text as a string in a file.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", "$$", "\n", `\n`, "\r", `\r`).Replace(s) + `"`
}

// String renders the settings without secrets.
func (c DataAPI) String() string { return c.dump(true) }

// GoString renders the settings without secrets.
func (c DataAPI) GoString() string { return c.dump(true) }

// LogValue renders the settings without secrets.
func (c DataAPI) LogValue() slog.Value { return slog.StringValue(c.dump(true)) }

// MarshalText renders the settings without secrets.
func (c DataAPI) MarshalText() ([]byte, error) { return []byte(c.dump(true)), nil }

// Example returns a configuration file that explains every setting. Loaded as it is, it changes nothing.
func Example() string {
	var b strings.Builder
	for _, r := range rows() {
		fmt.Fprintf(&b, "## %s\n", r.doc)
		if r.initial == "" {
			fmt.Fprintf(&b, "# %s = %s\n\n", r.name, r.written(r.example))
		} else {
			fmt.Fprintf(&b, "%s = %s\n\n", r.name, r.written(r.initial))
		}
	}
	fmt.Fprintf(&b, "## Settings of your own, which SQL reads with current_setting('app.settings.name').\n")
	fmt.Fprintf(&b, "# %sname = \"value\"\n", appSettings)
	return b.String()
}

// written renders text as a value of the setting's type.
func (r *row) written(s string) string {
	if r.typ == "boolean" || r.typ == "integer" {
		return s
	}
	return quote(s)
}
