package cli

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/tarn-data/tarn/internal/pg/embedded"
	"github.com/tarn-data/tarn/internal/server"
	"github.com/tarn-data/tarn/internal/token"
)

type tokenCommand struct {
	Create tokenCreateCommand `cmd:"" help:"Make a token and print it: a personal access token, or for whoever has the data directory, one of any user."`
	List   tokenListCommand   `cmd:"" help:"List your personal access tokens."`
	Delete tokenDeleteCommand `cmd:"" help:"Delete one of your personal access tokens, which is of no use any more at once."`
}

type tokenCreateCommand struct {
	target   `embed:""`
	Comment  string        `help:"What the token is for."`
	Lifetime time.Duration `help:"How long the token is good. A personal access token is good until it is deleted, others for an hour, if nothing is said."`

	User     string   `xor:"who" help:"Sign a token for this user name or application id, with the keys of a lakebase on this machine. The Data API acts as the role of this name."`
	Admin    bool     `xor:"who" help:"Sign a token for the administrator admin, likewise."`
	DataDir  string   `default:"${data_dir}" type:"path" env:"TARN_DATA_DIR" help:"Data directory of the lakebase, for --user and --admin."`
	State    string   `env:"TARN_STATE" help:"Connection string of its state, if the lakebase has one elsewhere."`
	VaultKey []string `default:"dir" env:"TARN_VAULT_KEY" placeholder:"KEY" help:"Root key of its vault, as for tarn serve."`
}

type tokenInfo struct {
	ID        string `json:"token_id"`
	CreatedAt int64  `json:"creation_time"`
	ExpiresAt int64  `json:"expiry_time"`
	Comment   string `json:"comment"`
}

// Run makes a token.
func (c *tokenCreateCommand) Run(e *env) error {
	if c.User != "" || c.Admin {
		return c.sign(e)
	}
	in := map[string]any{"comment": c.Comment}
	if c.Lifetime != 0 {
		in["lifetime_seconds"] = int64(c.Lifetime / time.Second)
	}
	var out struct {
		Value string    `json:"token_value"`
		Info  tokenInfo `json:"token_info"`
	}
	if err := c.do(e, http.MethodPost, "/api/2.0/token/create", in, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e, out)
	}
	_, err := fmt.Fprintln(e.stdout, out.Value)
	return err
}

type tokenListCommand struct {
	target `embed:""`
}

// Run lists tokens.
func (c *tokenListCommand) Run(e *env) error {
	var out struct {
		Tokens []tokenInfo `json:"token_infos"`
	}
	if err := c.get(e, "/api/2.0/token/list", nil, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e, out)
	}
	rows := [][]string{{"ID", "CREATED", "EXPIRES", "COMMENT"}}
	for _, t := range out.Tokens {
		expires := "never"
		if t.ExpiresAt >= 0 {
			expires = moment(t.ExpiresAt)
		}
		rows = append(rows, []string{t.ID, moment(t.CreatedAt), expires, t.Comment})
	}
	return table(e, rows)
}

// moment renders milliseconds of Unix time.
func moment(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

type tokenDeleteCommand struct {
	target `embed:""`
	ID     string `arg:"" help:"Id of the token, as tarn token list shows it."`
}

// Run deletes a token.
func (c *tokenDeleteCommand) Run(e *env) error {
	return c.do(e, http.MethodPost, "/api/2.0/token/delete", map[string]string{"token_id": c.ID}, nil)
}

// signedLifetime is how long a signed token is good if nothing is said.
const signedLifetime = time.Hour

// sign makes a token with the keys at hand.
func (c *tokenCreateCommand) sign(e *env) error {
	lifetime := c.Lifetime
	if lifetime == 0 {
		lifetime = signedLifetime
	}
	if c.Lifetime < 0 || lifetime > server.MaxTokenLifetime {
		return withHint(fmt.Errorf("--lifetime must be more than nothing and at most %s", server.MaxTokenLifetime),
			"A personal access token may be good for longer, and can be deleted: tarn token create --lifetime")
	}
	opt := server.SignOptions{
		ServeOptions: server.ServeOptions{DataDir: c.DataDir, StateURL: c.State, VaultKeys: c.VaultKey, Log: e.logger(slog.LevelWarn)},
		Claims:       token.Claims{Subject: c.User, Lifetime: lifetime}, Now: time.Now,
	}
	if c.Admin {
		opt.Claims.Subject, opt.Claims.Admin = "admin", true
	}
	if opt.StateURL == "" {
		if at, err := embedded.Locate(c.DataDir); err == nil {
			if !at.Running(e.ctx) {
				return stopped(c.DataDir)
			}
			opt.StateURL = at.RoleURL(embedded.StoreRole, embedded.StoreDatabase)
		} else if _, err := os.Stat(server.KeyDir(c.DataDir)); err != nil {
			return withHint(fmt.Errorf("no keys are at hand: no lakebase is served from %s", c.DataDir),
				"Start it first: tarn serve --data-dir "+c.DataDir+". If its state is elsewhere, say where with --state.")
		}
	}
	text, err := server.Sign(e.ctx, opt)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.stdout, text)
	return err
}
