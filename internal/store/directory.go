package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/control/identity"
)

const (
	directorySize = 20_000
	// directoryLife is how long an account is believed while changes are heard of.
	directoryLife = 5 * time.Minute
	// deafLife is how long it is believed while they aren't.
	deafLife = time.Second
)

// Directory answers who there is, from memory where it can. It implements auth.Directory and identity.Directory, and is
// safe for concurrent use.
type Directory struct {
	db  *DB
	now func() time.Time

	mu    sync.RWMutex
	known map[string]entry // by lower-case name
	epoch uint64           // counts what was forgotten
}

// entry is an account, or that there is none.
type entry struct {
	account *auth.Account
	self    *identity.Self // as of the same moment or later; nil until somebody asks
	at      time.Time
}

// Directory returns a directory that is kept up to date.
func (d *DB) Directory(now func() time.Time) *Directory {
	dir := &Directory{db: d, now: now, known: map[string]entry{}}
	d.Watch("principals", dir.forget)
	return dir
}

// Account implements auth.Directory.
func (dir *Directory) Account(ctx context.Context, name string) (*auth.Account, error) {
	key := strings.ToLower(name)
	life := directoryLife
	if !dir.db.Listening() {
		life = deafLife
	}
	dir.mu.RLock()
	e, ok := dir.known[key]
	epoch := dir.epoch
	dir.mu.RUnlock()
	if ok && dir.now().Sub(e.at) < life {
		return e.account, nil
	}
	at := dir.now()
	account, err := dir.db.Account(ctx, name)
	if err != nil {
		return nil, err
	}
	dir.keep(key, entry{account: account, at: at}, epoch)
	return account, nil
}

// Self implements identity.Directory. Whatever changes a principal has its account be forgotten: as long as that is the one
// that is known, so is the principal.
func (dir *Directory) Self(ctx context.Context, a *auth.Account) (*identity.Self, error) {
	key := strings.ToLower(a.Name)
	dir.mu.RLock()
	e, epoch := dir.known[key], dir.epoch
	dir.mu.RUnlock()
	if e.account == a && e.self != nil {
		return e.self, nil
	}
	p, err := dir.db.Principal(ctx, a.Kind, a.ID)
	if err != nil {
		return nil, err
	}
	self := identity.NewSelf(p)
	if e.account == a {
		e.self = self
		dir.keep(key, e, epoch)
	}
	return self, nil
}

// keep keeps what was found out, unless it may have changed meanwhile.
func (dir *Directory) keep(key string, e entry, epoch uint64) {
	dir.mu.Lock()
	defer dir.mu.Unlock()
	if dir.epoch != epoch {
		return
	}
	if _, known := dir.known[key]; !known && len(dir.known) >= directorySize {
		for other := range dir.known { // any one will do: the order of a map is none
			delete(dir.known, other)
			break
		}
	}
	dir.known[key] = e
}

// forget forgets a name, or all of them.
func (dir *Directory) forget(key string) {
	dir.mu.Lock()
	defer dir.mu.Unlock()
	dir.epoch++
	if key == "" || !plain(key) {
		clear(dir.known)
		return
	}
	delete(dir.known, key)
}

// plain tells whether lower case is the same to everybody.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7f })
}

// accountSQL finds an account with all that it has through groups. PostgreSQL takes a recursion for large, and would read all
// principals and members for it: OFFSET 0 and ARRAY have it use their indexes, however many there are.
const accountSQL = `WITH RECURSIVE who AS (
  SELECT * FROM principals WHERE lower(name) = lower($1) AND kind <> 'Group'
), above AS (
  SELECT m.group_id FROM members m JOIN who ON m.member_id = who.id
  UNION
  SELECT m.group_id FROM above, LATERAL (SELECT group_id FROM members WHERE member_id = above.group_id OFFSET 0) m
), groups AS (
  SELECT id, name, entitlements FROM principals WHERE id = ANY (ARRAY(SELECT group_id FROM above))
)
SELECT w.id, w.kind, w.name, w.display_name, w.active,
  coalesce((SELECT array_agg(id ORDER BY id) FROM groups), '{}'),
  coalesce((SELECT array_agg(name) FROM groups), '{}'),
  w.entitlements || coalesce((SELECT array_agg(e) FROM groups, unnest(entitlements) e), '{}')
FROM who w`

// Account asks the database for an account; nil if there is none.
func (d *DB) Account(ctx context.Context, name string) (*auth.Account, error) {
	var a auth.Account
	err := d.pool.QueryRow(ctx, accountSQL, name).Scan(
		&a.ID, &a.Kind, &a.Name, &a.DisplayName, &a.Active, &a.Groups, &a.GroupNames, &a.Entitlements)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // as auth.Directory says
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(a.GroupNames)
	slices.Sort(a.Entitlements)
	a.Entitlements = slices.Compact(a.Entitlements)
	a.Admin = slices.Contains(a.Groups, adminsID)
	return &a, nil
}
