package config

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Client says which server commands talk to, and as whom: by a token, by the secret of a service principal, or by what a
// login left in the profiles.
type Client struct {
	Host         string // with its scheme; empty if nobody said
	Token        string
	ClientID     string
	ClientSecret string
	Profile      string // empty for the one that was logged in last
	Profiles     string // file of the profiles
}

// LoadClient finds out which server to talk to. The arguments go before the environment, and that before the profile of
// ~/.databrickscfg, which is not heard if a profile of Tarn's own is named or a host is given with it.
func LoadClient(environ []string, host, profile string) (*Client, error) {
	env := environment(environ)
	dir, err := configDir(env)
	if err != nil {
		return nil, err
	}
	c := &Client{Host: host, Profile: profile, Profiles: filepath.Join(dir, "profiles.json")}
	if profile != "" || host != "" && host != env["DATABRICKS_HOST"] {
		return c, nil // the secrets of the environment are for the host that it names, and for no other
	}
	if c.Host = env["DATABRICKS_HOST"]; c.Host != "" {
		c.Token, c.ClientID, c.ClientSecret = env["DATABRICKS_TOKEN"], env["DATABRICKS_CLIENT_ID"], env["DATABRICKS_CLIENT_SECRET"]
		return c, nil
	}
	if _, err := os.Stat(c.Profiles); err == nil && env["DATABRICKS_CONFIG_PROFILE"] == "" {
		return c, nil
	}
	return c, c.readDatabricks(env)
}

func environment(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok {
			env[name] = value
		}
	}
	return env
}

// configDir is where Tarn's commands keep what belongs to the user.
func configDir(env map[string]string) (string, error) {
	if dir := env["TARN_CONFIG_DIR"]; dir != "" {
		return dir, nil
	}
	if dir := env["XDG_CONFIG_HOME"]; filepath.IsAbs(dir) {
		return filepath.Join(dir, "tarn"), nil
	}
	home := env["HOME"]
	if home == "" {
		return "", errors.New("HOME is not set, nor TARN_CONFIG_DIR")
	}
	return filepath.Join(home, ".config", "tarn"), nil
}

// readDatabricks reads the profile that other clients use.
func (c *Client) readDatabricks(env map[string]string) error {
	file, section := env["DATABRICKS_CONFIG_FILE"], env["DATABRICKS_CONFIG_PROFILE"]
	if file == "" {
		file = filepath.Join(env["HOME"], ".databrickscfg")
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) && section == "" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("profile %s: %w", section, err)
	}
	defer func() { _ = f.Close() }()
	want := section
	if want == "" {
		want = "DEFAULT"
	}
	values, found, in := map[string]string{}, false, false
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if name, ok := strings.CutPrefix(line, "["); ok {
			in = strings.TrimSpace(strings.TrimSuffix(name, "]")) == want
			found = found || in
			continue
		}
		if name, value, ok := strings.Cut(line, "="); ok && in && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, ";") {
			values[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if !found && section != "" {
		return fmt.Errorf("no profile %s in %s", section, file)
	}
	c.Host, c.Token = values["host"], values["token"]
	c.ClientID, c.ClientSecret = values["client_id"], values["client_secret"]
	return nil
}
