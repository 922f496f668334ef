package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/control/identity"
)

// settled waits for what other processes tell; a test that never sees it fails by its time limit.
func settled(t *testing.T, until func() bool) {
	t.Helper()
	for !until() {
		select {
		case <-t.Context().Done():
			t.Fatal("it never came")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	state, db := open(t)
	db.Exec(t, `SET search_path = tarn;
		INSERT INTO principals (id, kind, name, entitlements) VALUES (10, 'User', 'Ann@example.com', '{allow-cluster-create}'),
			(20, 'Group', 'inner', '{}'), (21, 'Group', 'middle', '{x}'), (22, 'Group', 'alone', '{y}');
		INSERT INTO members VALUES (20, 10), (21, 20), (1, 21), (2, 10)`)
	dir := state.Directory(time.Now)
	ann, err := dir.Account(t.Context(), "ann@EXAMPLE.com")
	if err != nil || ann == nil {
		t.Fatalf("%v, %v", ann, err)
	}
	if ann.Name != "Ann@example.com" || ann.Kind != auth.User || !ann.Admin || !ann.Active {
		t.Errorf("%+v", ann)
	}
	if want := []string{"admins", "inner", "middle", "users"}; !slices.Equal(ann.GroupNames, want) || !slices.Equal(ann.Groups, []int64{1, 2, 20, 21}) {
		t.Errorf("groups %v %v", ann.GroupNames, ann.Groups)
	}
	want := []string{"allow-cluster-create", "allow-instance-pool-create", "databricks-sql-access", "workspace-access", "x"}
	if !slices.Equal(ann.Entitlements, want) {
		t.Errorf("entitlements %v", ann.Entitlements)
	}
	for _, name := range []string{"nobody", "inner", "admins", "", "'; DROP TABLE principals; --"} {
		if a, err := dir.Account(t.Context(), name); a != nil || err != nil {
			t.Errorf("%q: %+v, %v", name, a, err)
		}
	}
}

// TestDirectoryHears changes the state behind the directory's back, as another process would.
func TestDirectoryHears(t *testing.T) {
	t.Parallel()
	state, db := open(t)
	listen(t, state)
	frozen := time.Now()
	dir := state.Directory(func() time.Time { return frozen }) // so that nothing gets too old
	account := func(name string) *auth.Account {
		a, err := dir.Account(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if account("ann") != nil {
		t.Fatal("ann is there already")
	}
	db.Exec(t, "SET search_path = tarn; INSERT INTO principals (id, kind, name) VALUES (10, 'User', 'ann'), (20, 'Group', 'team')")
	settled(t, func() bool { return account("ann") != nil })
	self := func() *identity.Self {
		s, err := dir.Self(t.Context(), account("ann"))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := self()
	if before != self() {
		t.Error("who ann is was read twice")
	}
	db.Exec(t, "UPDATE tarn.principals SET display_name = 'Ann' WHERE id = 10")
	settled(t, func() bool { return before != self() })
	db.Exec(t, "INSERT INTO tarn.members VALUES (20, 10)")
	settled(t, func() bool { return account("ann").In("team") })
	db.Exec(t, "INSERT INTO tarn.members VALUES (1, 20)") // a group joins another
	settled(t, func() bool { return account("ann").Admin })
	db.Exec(t, "UPDATE tarn.principals SET active = false WHERE name = 'ann'")
	settled(t, func() bool { return !account("ann").Active })
	db.Exec(t, "DELETE FROM tarn.principals WHERE id = 20")
	settled(t, func() bool { a := account("ann"); return !a.Admin && !a.In("team") })
	db.Exec(t, "DELETE FROM tarn.principals WHERE name = 'ann'")
	settled(t, func() bool { return account("ann") == nil })
}
