package cli

import (
	"encoding/json"
	"fmt"
	"net/url"
	"text/tabwriter"

	"github.com/tarn-data/tarn/internal/apiclient"
	"github.com/tarn-data/tarn/internal/config"
)

// target is the server that a command speaks to.
type target struct {
	Host    string `help:"Address of the server. DATABRICKS_HOST and DATABRICKS_TOKEN, a login, and ~/.databrickscfg are heard, too."`
	Profile string `short:"p" help:"Name of the login to use, in place of the last one."`
	JSON    bool   `help:"Print what the server answers, as JSON."`
}

// client makes a client of the server.
func (t *target) client(e *env) (*apiclient.Client, error) {
	cfg, err := config.LoadClient(config.Environ(), t.Host, t.Profile)
	if err != nil {
		return nil, err
	}
	return apiclient.New(e.ctx, cfg)
}

// do makes a call, with a body and for an answer unless they are nil.
func (t *target) do(e *env, method, path string, in, out any) error {
	client, err := t.client(e)
	if err != nil {
		return err
	}
	return client.Do(e.ctx, method, path, in, out)
}

// get asks for something.
func (t *target) get(e *env, path string, query url.Values, out any) error {
	client, err := t.client(e)
	if err != nil {
		return err
	}
	return client.Get(e.ctx, path, query, out)
}

// table prints rows with their columns below each other.
func table(e *env, rows [][]string) error {
	const gap = 2
	w := tabwriter.NewWriter(e.stdout, 0, 0, gap, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				_, _ = fmt.Fprint(w, "\t") // Flush tells
			}
			_, _ = fmt.Fprint(w, cell)
		}
		_, _ = fmt.Fprintln(w)
	}
	return w.Flush()
}

func printJSON(e *env, v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
