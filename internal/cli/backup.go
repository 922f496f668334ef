package cli

import (
	"errors"
	"fmt"
	"os/user"
	"time"

	"github.com/tarn-data/tarn/internal/server"
	"github.com/tarn-data/tarn/internal/store"
)

type backupCommand struct {
	stateFlags `embed:""`
	File       string `arg:"" type:"path" predictor:"file" help:"File to write. One that is there is replaced."`
	WithKeys   bool   `help:"Put the root keys that Tarn has made into the backup, too: then it opens all secrets, and must be kept like one."`
}

// Run writes a backup.
func (c *backupCommand) Run(e *env) error {
	m, err := server.Backup(e.ctx, server.BackupOptions{
		Version: buildVersion(), State: c.options(), File: c.File, Keys: c.WithKeys, By: systemUser(),
	})
	if err != nil {
		return err
	}
	var rows int64
	for _, t := range m.Tables {
		rows += t.Rows
	}
	_, err = fmt.Fprintf(e.stdout, "%s: %d rows of %d tables, as of %s\naudit log up to %s\n",
		c.File, rows, len(m.Tables), m.Made.UTC().Format(time.RFC3339), m.Audit)
	return err
}

type restoreCommand struct {
	stateFlags `embed:""`
	File       string `arg:"" type:"existingfile" predictor:"file" help:"Backup to restore."`
	Force      bool   `help:"Replace the state that there is."`
}

// Run restores a backup.
func (c *restoreCommand) Run(e *env) error {
	r, err := server.Restore(e.ctx, server.BackupOptions{State: c.options(), File: c.File, Replace: c.Force, By: systemUser()})
	switch {
	case errors.Is(err, store.ErrInUse):
		return withHint(err, "Stop all Tarn processes on this state first.")
	case errors.Is(err, store.ErrNotEmpty):
		return withHint(err, "To replace it, say --force; it is gone then.")
	case errors.Is(err, store.ErrOtherSchema):
		return withHint(err, "Restore with Tarn "+r.Version+", which made it. A later Tarn brings the state up to date when it serves.")
	case errors.Is(err, store.ErrOtherFormat):
		return withHint(err, "It was made by Tarn "+r.Version+": restore with that, or a later one.")
	case err != nil:
		return err
	}
	if _, err := fmt.Fprintf(e.stdout, "restored %s, as of %s\naudit log up to %s\n", c.File, r.Made.UTC().Format(time.RFC3339), r.Audit); err != nil {
		return err
	}
	if r.Lost.Sequence > r.Audit.Sequence {
		_, err = fmt.Fprintf(e.stdout, "records %d to %d of the audit log, which this machine knew, are not in the backup\n",
			r.Audit.Sequence+1, r.Lost.Sequence)
	}
	return err
}

// systemUser is who runs the command, for the audit log.
func systemUser() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return "os:" + u.Username
}
