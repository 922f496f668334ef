package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/pg/embedded"
)

const (
	isolatedRoles    = 32
	isolatedRequests = 2000
)

// TestRolesNeverSeeEachOthersRows has many roles ask at once over a small pool, while requests fail, are cancelled, time
// out, poison their session, and backends are killed.
func TestRolesNeverSeeEachOthersRows(t *testing.T) {
	s := serve(t, dataDir(t), "--sample", "--log-level", "error")
	var setup strings.Builder
	setup.WriteString(`
		CREATE TABLE own (id serial PRIMARY KEY, owner text NOT NULL DEFAULT current_user);
		ALTER TABLE own ENABLE ROW LEVEL SECURITY;
		CREATE POLICY own ON own USING (owner = current_user) WITH CHECK (owner = current_user);
		CREATE FUNCTION boom() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'boom'; END $$;
		CREATE FUNCTION slow() RETURNS int LANGUAGE sql SET statement_timeout = '5ms' AS $$ SELECT 1 FROM pg_sleep(0.02) $$;
		CREATE FUNCTION poison() RETURNS text LANGUAGE sql AS $$
			SELECT set_config('role', 'role0@example.com', false) || set_config('search_path', 'pg_catalog', false)
				|| set_config('request.jwt.claims', '{}', false) || set_config('row_security', 'off', false) $$;
		CREATE FUNCTION mine() RETURNS SETOF own LANGUAGE sql STABLE AS $$ SELECT * FROM own $$;
		CREATE VIEW seen WITH (security_invoker = true) AS SELECT * FROM own;
	`)
	for i := range isolatedRoles {
		fmt.Fprintf(&setup, `SELECT databricks_create_role('role%d@example.com', 'USER'); GRANT "role%[1]d@example.com" TO authenticator;
			GRANT USAGE ON SCHEMA public TO "role%[1]d@example.com"; GRANT ALL ON own, seen, own_id_seq TO "role%[1]d@example.com";
			INSERT INTO own (owner) SELECT 'role%[1]d@example.com' FROM generate_series(1, 3);
		`, i)
	}
	// Views with the rights of whoever asks are of PostgreSQL 15 and later. Before, a view has its owner's, to whom the
	// policy doesn't apply.
	sql := setup.String()
	if strings.HasPrefix(s.psql(t, "SHOW server_version_num"), "14") {
		const since15, before = "WITH (security_invoker = true) AS SELECT * FROM own", "AS SELECT * FROM own WHERE owner = current_user"
		sql = strings.Replace(sql, since15, before, 1)
	}
	s.psql(t, sql)
	tokens := make([]string, isolatedRoles)
	for i := range tokens {
		tokens[i] = s.token(t, fmt.Sprintf("role%d@example.com", i))
	}
	s.waitRelation(t, tokens[0], "seen")

	address, err := embedded.Locate(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := pgx.Connect(t.Context(), address.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(context.Background()) }()

	var leaks, answered, failed atomic.Int64
	stop := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(300 * time.Millisecond):
				if _, err := admin.Exec(context.Background(), `SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
					WHERE usename = 'authenticator' ORDER BY random() LIMIT 2) p`); err != nil {
					t.Error(err)
				}
			}
		}
	})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: isolatedRoles}}
	var wg sync.WaitGroup
	for i := range isolatedRoles {
		wg.Go(func() {
			user := fmt.Sprintf("role%d@example.com", i)
			for range isolatedRequests {
				rows, err := isolatedAsk(client, s.url+restPath, tokens[i])
				if err != nil {
					failed.Add(1)
					continue
				}
				answered.Add(1)
				for _, r := range rows {
					if r.Owner != user {
						leaks.Add(1)
						t.Errorf("%s sees a row of %s", user, r.Owner)
					}
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	killer.Wait()
	t.Logf("%d answered with rows, %d failed or were cancelled, %d leaks", answered.Load(), failed.Load(), leaks.Load())
	if answered.Load() < isolatedRoles*isolatedRequests/4 {
		t.Errorf("only %d requests were answered with rows", answered.Load())
	}
	if failed.Load() == 0 {
		t.Error("no request failed, so nothing was tested")
	}
}

type ownedRow struct {
	ID    int
	Owner string
}

// isolatedAsk makes one request of some kind. An error says that there are no rows to look at.
func isolatedAsk(client *http.Client, base, token string) ([]ownedRow, error) {
	kinds := []struct {
		method, path, body, prefer string
		timeout                    time.Duration
	}{
		{method: "GET", path: "/own?select=*"},
		{method: "GET", path: "/seen?order=id"},
		{method: "GET", path: "/rpc/mine"},
		{method: "POST", path: "/own", body: `{}`, prefer: "return=representation, tx=rollback"},
		{method: "PATCH", path: "/own?id=gt.0", body: `{"owner":"role0@example.com"}`, prefer: "return=representation"},
		{method: "GET", path: "/own?nothing=eq.1"},
		{method: "POST", path: "/rpc/boom"},
		{method: "POST", path: "/rpc/slow"},
		{method: "POST", path: "/rpc/poison"},
		{method: "GET", path: "/own", timeout: time.Duration(rand.IntN(3000)) * time.Microsecond},
	}
	k := kinds[rand.IntN(len(kinds))]
	ctx := context.Background()
	if k.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, k.timeout)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, k.method, base+k.path, strings.NewReader(k.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	if k.prefer != "" {
		req.Header.Set("Prefer", k.prefer)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	var rows []ownedRow
	if res.StatusCode >= 300 || json.Unmarshal(body, &rows) != nil {
		return nil, errors.New("no rows")
	}
	return rows, nil
}

// waitRelation waits until the schema cache has a relation.
func (s *tarn) waitRelation(t testing.TB, token, name string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ask(t, "OPTIONS", s.url+restPath+"/"+name, "", "Authorization", "Bearer "+token).status == http.StatusOK {
			return
		}
	}
	t.Fatalf("the schema cache does not get the relation %s", name)
}
