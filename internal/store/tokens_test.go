package store_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/control/tokens"
)

// TestTokenUse uses tokens that are known, are changed by others, and were used when a process ends.
func TestTokenUse(t *testing.T) {
	t.Parallel()
	state, db := open(t)
	const ids = 3
	secrets := make([]string, ids)
	db.Exec(t, "INSERT INTO tarn.principals (id, kind, name) VALUES (10, 'User', 'ann')")
	for i := range ids {
		secrets[i] = "dapi" + strings.Repeat(fmt.Sprint(i), 32)
		digest := sha256.Sum256([]byte(secrets[i]))
		db.Exec(t, fmt.Sprintf(`INSERT INTO tarn.personal_tokens (id, secret, owner_id, owner, created_by_id, created_by, created_at)
			VALUES ('token%d', '\x%s', 10, 'ann', 10, 'ann', now())`, i, hex.EncodeToString(digest[:])))
	}
	service := tokens.New(tokens.Options{Store: state, Listening: state.Listening, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	state.Watch("tokens", service.Forget)
	listen(t, state)
	settled(t, state.Listening)
	good := func(i int) bool {
		found, err := service.Use(t.Context(), secrets[i])
		if err != nil {
			t.Fatal(err)
		}
		return found != nil
	}
	began := time.Now()
	for range 2 {
		if !good(0) || !good(1) {
			t.Fatal("a token is no good")
		}
	}
	db.Exec(t, "DELETE FROM tarn.personal_tokens WHERE id = 'token1'")
	settled(t, func() bool { return !good(1) })
	db.Exec(t, "UPDATE tarn.personal_tokens SET expires_at = now() WHERE id = 'token0'")
	settled(t, func() bool { return !good(0) })

	over, end := context.WithCancel(t.Context())
	end()
	service.Run(over) // until what is left is written
	var used []string
	rows, err := db.Conn(t).Query(t.Context(), "SELECT id FROM tarn.personal_tokens WHERE last_used_at >= $1", began.Add(-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		used = append(used, id)
	}
	if rows.Err() != nil || fmt.Sprint(used) != "[token0]" {
		t.Errorf("used are %v, %v", used, rows.Err())
	}
}
