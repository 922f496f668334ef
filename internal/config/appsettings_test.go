package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/config"
)

func TestAppSettingsInDatabase(t *testing.T) {
	src := config.Source{
		File:    write(t, "app.settings.a = \"file\"\napp.settings.b = \"file\"\napp.settings.c = \"file\"\napp.settings.d = \"file\""),
		Environ: []string{"PGRST_APP_SETTINGS_b=env", "PGRST_APP_SETTINGS_c=env", "PGRST_APP_SETTINGS_d=env"},
		InDatabase: []config.Setting{
			{Name: "app.settings.d", Value: "role"},
			{Name: "pgrst.app_settings", Value: `{"c": "object", "d": "object", "e": 12345678901234567890.50, "_F$1": true, "g": ""}`},
		},
	}
	c, err := config.LoadDataAPI(src)
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Setting{
		{Name: "app.settings._F$1", Value: "true"},
		{Name: "app.settings.a", Value: "file"},
		{Name: "app.settings.b", Value: "env"},
		{Name: "app.settings.c", Value: "object"},
		{Name: "app.settings.d", Value: "role"},
		{Name: "app.settings.e", Value: "12345678901234567890.50"},
		{Name: "app.settings.g", Value: ""},
	}
	if diff := cmp.Diff(want, c.AppSettings); diff != "" {
		t.Error(diff)
	}
}

func TestAppSettingsInDatabaseRefused(t *testing.T) {
	for value, refusal := range map[string]string{
		`hunter2`:               "pgrst.app_settings is not a JSON object",
		`["hunter2"]`:           "pgrst.app_settings is not a JSON object",
		`"hunter2"`:             "pgrst.app_settings is not a JSON object",
		`{"a":"hunter2"} {}`:    "pgrst.app_settings is not a JSON object",
		`{"a":"hunter2"}}`:      "pgrst.app_settings is not a JSON object",
		`{"a":"hunter2"`:        "pgrst.app_settings is not a JSON object",
		`{"a":["hunter2"]}`:     `pgrst.app_settings: the value of "a" is neither a string, a number nor a boolean`,
		`{"a":{"b":"hunter2"}}`: `pgrst.app_settings: the value of "a" is neither a string, a number nor a boolean`,
		`{"a":null}`:            `pgrst.app_settings: the value of "a" is neither a string, a number nor a boolean`,
		`{"":"hunter2"}`:        `pgrst.app_settings: "" can't be the name of a setting`,
		`{"1a":"hunter2"}`:      `pgrst.app_settings: "1a" can't be the name of a setting`,
		`{"a.b":"hunter2"}`:     `pgrst.app_settings: "a.b" can't be the name of a setting`,
		`{"a b":"hunter2"}`:     `pgrst.app_settings: "a b" can't be the name of a setting`,
		`{"a', '')":"hunter2"}`: `pgrst.app_settings: "a', '')" can't be the name of a setting`,
		"{\"aé\":\"hunter2\"}":  `pgrst.app_settings: "aé" can't be the name of a setting`,
	} {
		_, err := config.LoadDataAPI(config.Source{InDatabase: []config.Setting{{Name: "pgrst.app_settings", Value: value}}})
		switch {
		case err == nil:
			t.Errorf("%s: loaded", value)
		case strings.Contains(err.Error(), "hunter2") || !strings.HasSuffix(err.Error(), refusal):
			t.Errorf("%s: %v", value, err)
		}
	}
	// What isn't set, or is set to nothing, is none.
	c, err := config.LoadDataAPI(config.Source{InDatabase: []config.Setting{{Name: "pgrst.app_settings"}}})
	if err != nil || c.AppSettings != nil {
		t.Error(c.AppSettings, err)
	}
}
