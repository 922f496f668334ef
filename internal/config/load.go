package config

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/tarn-data/tarn/internal/token"
)

const (
	appSettings            = "app.settings."
	appSettingsEnvironment = "PGRST_APP_SETTINGS_"
	appSettingsDatabase    = "app_settings" // a JSON object of them, since PostgreSQL doesn't tell what a function has set
	databasePrefix         = "pgrst."
)

// Source is where settings come from. Those that the database holds go before the environment, and that before the file.
type Source struct {
	Environ    []string  // NAME=value, as Environ returns it
	File       string    // path of a configuration file; empty for none
	InDatabase []Setting // with names as in the database: pgrst.db_schemas, app.settings.name; pgrst. may be left out
	Cores      int       // of the machine, by which the size of the pool is chosen
}

// Environ returns the environment of the process.
func Environ() []string { return os.Environ() }

// Variable is a variable of the environment, which a setting names in place of its value; empty if there is none.
func Variable(name string) string { return os.Getenv(name) }

// InDatabase returns the names of the settings that may be set in the database, with their prefix.
func InDatabase() []string {
	names := []string{databasePrefix + appSettingsDatabase}
	for _, r := range rows() {
		if r.inDatabase {
			names = append(names, databasePrefix+databaseName(r.name))
		}
	}
	return names
}

// LoadDataAPI reads and checks the settings of a Data API. Its errors name the mistake, but no secret.
func LoadDataAPI(src Source) (*DataAPI, error) {
	c, err := load(src)
	if err != nil {
		return nil, fmt.Errorf("error in config: %w", err)
	}
	return c, nil
}

func load(src Source) (*DataAPI, error) {
	l, err := newLoader(src)
	if err != nil {
		return nil, err
	}
	c := &DataAPI{PoolReserve: unset, PoolShared: unset}
	if c.AppSettings, err = l.appSettings(); err != nil {
		return nil, err
	}
	for _, r := range rows() {
		if err := l.take(c, &r); err != nil {
			return nil, err
		}
	}
	if c.AdminPort != 0 && c.AdminPort == c.ServerPort {
		return nil, errors.New("admin-server-port cannot be the same as server-port")
	}
	choosePool(c, src.Cores)
	if err := readFiles(c); err != nil {
		return nil, err
	}
	return c, nil
}

const (
	perCore  = 4  // connections: twice what is best for reads, half of what is best for writes
	leastOwn = 10 // as many as PostgREST has
	mostOwn  = 32 // so that three processes can share a server that takes 100
	unset    = -1

	leastShared = 2 // connections, so that one is written to while the other is read
)

// choosePool chooses the size of the pool where there is none, and how much of it is kept for fast requests and shared.
func choosePool(c *DataAPI, cores int) {
	if c.PoolSize <= 0 {
		c.PoolSize = max(leastOwn, min(perCore*cores, mostOwn))
	}
	if c.PoolReserve < 0 {
		c.PoolReserve = max(1, c.PoolSize/4)
	}
	c.PoolReserve = min(c.PoolReserve, c.PoolSize-1)
	if c.PoolShared < 0 {
		c.PoolShared = max(leastShared, cores)
	}
	c.PoolShared = min(c.PoolShared, c.PoolSize/2)
}

// loader finds the values of settings.
type loader struct {
	database map[string]string // by name with underscores
	env      map[string]string
	file     map[string]value
}

func newLoader(src Source) (*loader, error) {
	l := &loader{database: make(map[string]string), env: make(map[string]string)}
	for _, s := range src.InDatabase {
		l.database[strings.TrimPrefix(s.Name, databasePrefix)] = s.Value
	}
	for _, e := range src.Environ {
		if name, v, ok := strings.Cut(e, "="); ok {
			l.env[name] = v
		}
	}
	if src.File == "" {
		return l, nil
	}
	var err error
	l.file, err = loadFile(src.File, l.env)
	return l, err
}

// take takes the first value that is one, or else the initial one.
func (l *loader) take(c *DataAPI, r *row) error {
	for _, name := range r.names() {
		v, ok := l.find(r, name)
		if !ok {
			continue
		}
		if taken, err := r.take(c, v); taken || err != nil {
			return err
		}
	}
	if r.initial == "" {
		return nil
	}
	_, err := r.take(c, textValue(r.initial))
	return err
}

// find finds the value by one of a setting's names. Only by its own name it can be in the database.
func (l *loader) find(r *row, name string) (value, bool) {
	if r.inDatabase && name == r.name {
		if v, ok := l.database[databaseName(name)]; ok {
			return textValue(v), true
		}
	}
	if v, ok := l.env[r.environmentName(name)]; ok {
		return textValue(v), true
	}
	v, ok := l.file[name]
	return v, ok
}

// readFiles reads what is given as the name of a file, decodes the secret and checks it.
func readFiles(c *DataAPI) error {
	if file, ok := strings.CutPrefix(c.DBURI, "@"); ok {
		content, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("db-uri: %w", err)
		}
		c.DBURI = strings.TrimSpace(string(content))
	}
	if len(c.Replicas) == 1 && strings.HasPrefix(c.Replicas[0], "@") {
		content, err := os.ReadFile(c.Replicas[0][1:])
		if err != nil {
			return fmt.Errorf("replicas: %w", err)
		}
		c.Replicas = strings.Fields(string(content))
	}
	if err := checkReplicas(c.Replicas); err != nil {
		return err
	}
	if file, ok := bytes.CutPrefix(c.JWTSecret, []byte("@")); ok {
		content, err := os.ReadFile(string(file))
		if err != nil {
			return fmt.Errorf("jwt-secret: can't read the file after @: %w", withoutPath(err))
		}
		c.JWTSecret = bytes.TrimSuffix(content, []byte("\n"))
	}
	if c.JWTSecret == nil {
		return nil
	}
	if c.JWTSecretIsBase64 {
		decoded, err := decodeBase64(string(c.JWTSecret))
		if err != nil {
			return err
		}
		c.JWTSecret = decoded
	}
	if _, err := token.NewKeys(c.JWTSecret); err != nil {
		return fmt.Errorf("jwt-secret: %w", err)
	}
	return nil
}

// withoutPath leaves out the name of a file, which may be a secret that happens to begin with @.
func withoutPath(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}

// decodeBase64 decodes either alphabet, with padding or without.
func decodeBase64(s string) ([]byte, error) {
	s = strings.NewReplacer("_", "/", "-", "+", ".", "=").Replace(strings.TrimSpace(s))
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return nil, errors.New("jwt-secret is not in base64") // the cause would tell a part of it
	}
	return decoded, nil
}
