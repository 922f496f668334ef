package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tarn-data/tarn/internal/config"
)

func TestLoadClient(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, ".databrickscfg")
	text := "; comment\n[DEFAULT]\nhost = https://a.example\ntoken = dapi1\n\n[two]\n# comment\nhost=https://b.example\nclient_id = id\nclient_secret = s=s\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	profiles := filepath.Join(home, ".config", "tarn", "profiles.json")
	for _, c := range []struct {
		name          string
		env           []string
		host, profile string
		want          config.Client
	}{
		{"file", nil, "", "", config.Client{Host: "https://a.example", Token: "dapi1"}},
		{"section", []string{"DATABRICKS_CONFIG_PROFILE=two"}, "", "", config.Client{Host: "https://b.example", ClientID: "id", ClientSecret: "s=s"}},
		{"environment", []string{"DATABRICKS_HOST=https://c.example", "DATABRICKS_TOKEN=t"}, "", "", config.Client{Host: "https://c.example", Token: "t"}},
		{"profile", nil, "", "mine", config.Client{Profile: "mine"}},
		{"a token is not for another host", []string{"DATABRICKS_HOST=https://c.example", "DATABRICKS_TOKEN=t"}, "https://evil.example", "", config.Client{Host: "https://evil.example"}},
		{"a token for the host", []string{"DATABRICKS_HOST=https://c.example", "DATABRICKS_TOKEN=t"}, "https://c.example", "", config.Client{Host: "https://c.example", Token: "t"}},
	} {
		got, err := config.LoadClient(append(c.env, "HOME="+home), c.host, c.profile)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		c.want.Profiles = profiles
		if diff := cmp.Diff(&c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	if _, err := config.LoadClient([]string{"HOME=" + home, "DATABRICKS_CONFIG_PROFILE=three"}, "", ""); err == nil {
		t.Error("a profile that isn't there was found")
	}
	if _, err := config.LoadClient(nil, "", ""); err == nil {
		t.Error("found no home, and said nothing")
	}
}
