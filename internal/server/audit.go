package server

import (
	"context"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/tarn-data/tarn/internal/audit"
	"github.com/tarn-data/tarn/internal/store"
)

const (
	cutEvery     = time.Hour
	auditCloses  = 10 * time.Second // how long the last records may take to be stored
	auditBackoff = time.Minute      // after which a cut that failed is tried again
)

// AuditDir is where the audit log keeps what is of one machine.
func AuditDir(dataDir string) string { return filepath.Join(dataDir, "audit") }

// openAudit begins to record calls.
func openAudit(ctx context.Context, opt ServeOptions, state *store.DB, workspaceID string) (*audit.Log, error) {
	return audit.Open(ctx, audit.Options{
		Dir: AuditDir(opt.DataDir), Store: state.Audit(), Writer: rand.Text(), WorkspaceID: workspaceID, Log: opt.Log,
	})
}

// forgetRecords drops what is older than the retention, again and again until the context ends. Several processes may.
func forgetRecords(ctx context.Context, log *slog.Logger, state *store.DB, retention time.Duration) {
	if retention <= 0 {
		return
	}
	for {
		wait := cutEvery
		n, err := state.Audit().Cut(ctx, time.Now().Add(-retention))
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn("the audit log could not be cut", "error", err)
			wait = auditBackoff
		case n > 0:
			log.Info("audit log cut", "records", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// closeAudit ends recording. What isn't stored by then the next process stores.
func closeAudit(log *slog.Logger, l *audit.Log) {
	ctx, cancel := context.WithTimeout(context.Background(), auditCloses)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		log.Warn("the audit log could not be closed; the next process stores what is left", "error", err)
	}
}

// VerifyAudit follows the whole audit log of a state, and looks for heads that were known before.
func VerifyAudit(ctx context.Context, opt StateOptions, known []audit.Head) (report *audit.Report, err error) {
	err = opt.with(ctx, func(stateURL string) error {
		state, err := store.Connect(ctx, store.Options{URL: stateURL, AppName: appName})
		if err != nil {
			return err
		}
		defer state.Close()
		report, err = audit.Verify(ctx, state.Audit(), known)
		return err
	})
	return report, err
}
