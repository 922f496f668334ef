package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// appSettings returns the settings that are the application's own, by name.
func (l *loader) appSettings() ([]Setting, error) {
	found := make(map[string]string)
	for name, v := range l.file {
		if own, ok := strings.CutPrefix(name, appSettings); ok && !strings.Contains(own, ".") {
			found[name] = v.asText()
		}
	}
	for name, v := range l.env {
		if own, ok := strings.CutPrefix(name, appSettingsEnvironment); ok {
			found[appSettings+own] = v
		}
	}
	if err := l.databaseAppSettings(found); err != nil {
		return nil, err
	}
	var all []Setting
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, Setting{name, found[name]})
	}
	return all, nil
}

// databaseAppSettings adds those that the database holds: in a JSON object, and before them by their own names.
func (l *loader) databaseAppSettings(found map[string]string) error {
	if text := l.database[appSettingsDatabase]; text != "" {
		var object map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &object) != nil {
			return fmt.Errorf("%s%s is not a JSON object", databasePrefix, appSettingsDatabase)
		}
		for name, raw := range object {
			value, ok := scalar(raw)
			if !ok {
				return fmt.Errorf("%s%s: the value of %q is neither a string, a number nor a boolean", databasePrefix, appSettingsDatabase, name)
			}
			if !isSettingName(name) {
				return fmt.Errorf("%s%s: %q can't be the name of a setting", databasePrefix, appSettingsDatabase, name)
			}
			found[appSettings+name] = value
		}
	}
	for name, v := range l.database {
		if strings.HasPrefix(name, appSettings) {
			found[name] = v
		}
	}
	return nil
}

// scalar is the text of a string, a number or a boolean.
func scalar(raw json.RawMessage) (string, bool) {
	if raw[0] != '"' {
		return string(raw), !strings.ContainsAny(string(raw[:1]), "[{n")
	}
	var s string
	return s, json.Unmarshal(raw, &s) == nil
}

// isSettingName tells whether PostgreSQL takes a name for a part of a setting's.
func isSettingName(s string) bool {
	const letters = "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return s != "" && strings.Trim(s[:1], letters) == "" && strings.Trim(s, letters+"0123456789$") == ""
}
