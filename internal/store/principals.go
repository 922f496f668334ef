package store

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/control/identity"
)

const principalColumns = `p.id, p.kind, p.name, p.display_name, p.given_name, p.family_name, p.external_id, p.active,
  p.emails, p.entitlements, p.roles, p.version, p.created_at, p.updated_at`

func scanPrincipal(row pgx.CollectableRow) (identity.Principal, error) {
	var p identity.Principal
	err := row.Scan(&p.ID, &p.Kind, &p.Name, &p.DisplayName, &p.GivenName, &p.FamilyName, &p.ExternalID, &p.Active,
		&p.Emails, &p.Entitlements, &p.Roles, &p.Version, &p.CreatedAt, &p.UpdatedAt)
	return p, err
}

// reader is the pool or a transaction, to read.
type reader interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Principals implements identity.Store.
func (d *DB) Principals(ctx context.Context, q identity.Query) ([]identity.Principal, int64, error) {
	c := &condition{kind: q.Kind}
	c.write("p.kind = ", c.arg(q.Kind))
	if q.Filter != nil {
		c.write(" AND ")
		if err := c.filter(q.Filter, nil); err != nil {
			return nil, 0, err
		}
	}
	order, err := orderBy(q.Kind, q.SortBy, q.Desc)
	if err != nil {
		return nil, 0, err
	}
	var (
		found []identity.Principal
		total int64
	)
	// The page and the total are of the same moment.
	err = pgx.BeginTxFunc(ctx, d.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, "SELECT count(*) FROM principals p WHERE "+c.text.String(), c.args...).Scan(&total)
		if err != nil || q.Limit == 0 || total == 0 {
			return err
		}
		args := append(slices.Clone(c.args), q.Limit, q.Offset)
		page := &condition{args: c.args}
		sql := "SELECT " + principalColumns + " FROM principals p WHERE " + c.text.String() + " ORDER BY " + order +
			" LIMIT " + page.arg(nil) + " OFFSET " + page.arg(nil)
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		if found, err = pgx.CollectRows(rows, scanPrincipal); err != nil {
			return err
		}
		return complete(ctx, tx, found, q.Groups, q.Members)
	})
	return found, total, err
}

// complete loads of which groups principals are, and their members. As accountSQL, its query is for indexes.
func complete(ctx context.Context, db reader, list []identity.Principal, groups, members bool) error {
	at, ids := map[int64]*identity.Principal{}, make([]int64, 0, len(list))
	for i := range list {
		at[list[i].ID] = &list[i]
		ids = append(ids, list[i].ID)
	}
	if groups {
		rows, err := db.Query(ctx, `WITH RECURSIVE up (root, id, direct) AS (
			SELECT member_id, group_id, true FROM members WHERE member_id = ANY ($1)
			UNION
			SELECT up.root, m.group_id, false FROM up, LATERAL (SELECT group_id FROM members WHERE member_id = up.id OFFSET 0) m
		) SELECT root, up.id, g.name, bool_or(direct) FROM up JOIN principals g ON g.id = up.id
		WHERE g.id = ANY (ARRAY(SELECT id FROM up)) GROUP BY 1, 2, 3 ORDER BY 1, 3`, ids)
		if err != nil {
			return err
		}
		var (
			root int64
			m    identity.Membership
		)
		if _, err = pgx.ForEachRow(rows, []any{&root, &m.ID, &m.Name, &m.Direct}, func() error {
			at[root].Groups = append(at[root].Groups, m)
			return nil
		}); err != nil {
			return err
		}
	}
	if members {
		rows, err := db.Query(ctx, "SELECT group_id, member_id FROM members WHERE group_id = ANY ($1) ORDER BY 1, 2", ids)
		if err != nil {
			return err
		}
		var group, member int64
		_, err = pgx.ForEachRow(rows, []any{&group, &member}, func() error {
			at[group].Members = append(at[group].Members, member)
			return nil
		})
		return err
	}
	return nil
}

// Principal implements identity.Store.
func (d *DB) Principal(ctx context.Context, kind auth.Kind, id int64) (*identity.Principal, error) {
	return principal(ctx, d.pool, kind, id)
}

func principal(ctx context.Context, db reader, kind auth.Kind, id int64) (*identity.Principal, error) {
	rows, err := db.Query(ctx, "SELECT "+principalColumns+" FROM principals p WHERE id = $1 AND kind = $2", id, kind)
	if err != nil {
		return nil, err
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanPrincipal)
	if err != nil {
		return nil, missing(err)
	}
	list := []identity.Principal{p}
	err = complete(ctx, db, list, true, kind == identity.Group)
	return &list[0], err
}

// Refs implements identity.Store.
func (d *DB) Refs(ctx context.Context, ids []int64) (map[int64]identity.Ref, error) {
	rows, err := d.pool.Query(ctx, "SELECT id, kind, name, display_name FROM principals WHERE id = ANY ($1)", ids)
	if err != nil {
		return nil, err
	}
	out := map[int64]identity.Ref{}
	var r identity.Ref
	_, err = pgx.ForEachRow(rows, []any{&r.ID, &r.Kind, &r.Name, &r.DisplayName}, func() error {
		out[r.ID] = r
		return nil
	})
	return out, err
}

// CreatePrincipal implements identity.Store.
func (d *DB) CreatePrincipal(ctx context.Context, p *identity.Principal, confirm func(*identity.Principal) error) (*identity.Principal, error) {
	var made *identity.Principal
	err := d.changePrincipals(ctx, func(tx pgx.Tx) error {
		id, err := insertPrincipal(ctx, tx, p)
		if err != nil {
			return err
		}
		if err := setMembers(ctx, tx, id, nil, p.Members); err != nil {
			return err
		}
		if made, err = principal(ctx, tx, p.Kind, id); err != nil {
			return err
		}
		return confirmed(confirm, made)
	})
	return made, err
}

// insertPrincipal adds one who, unless it is a group, is a user as everybody.
func insertPrincipal(ctx context.Context, tx pgx.Tx, p *identity.Principal) (int64, error) {
	var id int64
	err := tx.QueryRow(ctx, `INSERT INTO principals
		(kind, name, display_name, given_name, family_name, external_id, active, emails, entitlements, roles)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id`,
		p.Kind, p.Name, p.DisplayName, p.GivenName, p.FamilyName, p.ExternalID, p.Active, emails(p), list(p.Entitlements), list(p.Roles)).Scan(&id)
	if err != nil || p.Kind == identity.Group {
		return id, err
	}
	_, err = tx.Exec(ctx, "INSERT INTO members VALUES ($1, $2)", usersID, id)
	return id, err
}

// ChangePrincipal implements identity.Store.
func (d *DB) ChangePrincipal(ctx context.Context, kind auth.Kind, id, actor int64, change, confirm func(*identity.Principal) error) (*identity.Principal, error) {
	var changed *identity.Principal
	err := d.changePrincipals(ctx, func(tx pgx.Tx) error {
		p, err := principal(ctx, tx, kind, id)
		if err != nil {
			return err
		}
		before, wasActive := slices.Clone(p.Members), p.Active
		if err := change(p); err != nil {
			return err
		}
		if wasActive && !p.Active {
			if err := endLogins(ctx, tx, id); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `UPDATE principals SET name = $2, display_name = $3, given_name = $4, family_name = $5, external_id = $6,
			active = $7, emails = $8, entitlements = $9, roles = $10, version = version + 1, updated_at = now() WHERE id = $1`,
			id, p.Name, p.DisplayName, p.GivenName, p.FamilyName, p.ExternalID, p.Active, emails(p), list(p.Entitlements), list(p.Roles))
		if err != nil {
			return err
		}
		if err := setMembers(ctx, tx, id, before, p.Members); err != nil {
			return err
		}
		if err := stillAdministered(ctx, tx, actor); err != nil {
			return err
		}
		if changed, err = principal(ctx, tx, kind, id); err != nil {
			return err
		}
		return confirmed(confirm, changed)
	})
	return changed, err
}

// DeletePrincipal implements identity.Store.
func (d *DB) DeletePrincipal(ctx context.Context, kind auth.Kind, id, actor int64, confirm func(*identity.Principal) error) error {
	return d.changePrincipals(ctx, func(tx pgx.Tx) error {
		p, err := principal(ctx, tx, kind, id)
		if err != nil {
			return err
		}
		if err := endLogins(ctx, tx, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM principals WHERE id = $1", id); err != nil {
			return err
		}
		if err := stillAdministered(ctx, tx, actor); err != nil {
			return err
		}
		return confirmed(confirm, p)
	})
}

// changePrincipals does something while nobody else changes principals.
func (d *DB) changePrincipals(ctx context.Context, do func(tx pgx.Tx) error) error {
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(principalsLock)); err != nil {
			return err
		}
		return do(tx)
	})
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pgErr.Code {
		case "23505": // unique_violation
			d.changes.tell("principals", "") // another process was faster, of whose change this one may not have heard yet
			return errors.Join(identity.ErrExists, err)
		case "23503": // foreign_key_violation
			return errors.Join(identity.ErrNoMember, err)
		case "23514": // check_violation: a group within itself
			return errors.Join(identity.ErrCycle, err)
		}
	}
	if err == nil {
		d.changes.tell("principals", "") // this process is to know at once
	}
	return err
}

// setMembers changes only what differs.
func setMembers(ctx context.Context, tx pgx.Tx, group int64, before, after []int64) error {
	gone, come := except(before, after), except(after, before)
	if len(gone) > 0 {
		if _, err := tx.Exec(ctx, "DELETE FROM members WHERE group_id = $1 AND member_id = ANY ($2)", group, gone); err != nil {
			return err
		}
	}
	if len(come) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, "INSERT INTO members SELECT $1, unnest($2::bigint[])", group, come); err != nil {
		return err
	}
	var cycle bool
	err := tx.QueryRow(ctx, `WITH RECURSIVE up (id) AS (
		SELECT group_id FROM members WHERE member_id = $1
		UNION
		SELECT m.group_id FROM up, LATERAL (SELECT group_id FROM members WHERE member_id = up.id OFFSET 0) m
	) SELECT EXISTS (SELECT FROM up WHERE id = $1)`, group).Scan(&cycle)
	if err == nil && cycle {
		return identity.ErrCycle
	}
	return err
}

// except are the elements of a sorted list that another one doesn't have.
func except(of, without []int64) []int64 {
	var out []int64
	for _, id := range of {
		if _, found := slices.BinarySearch(without, id); !found {
			out = append(out, id)
		}
	}
	return out
}

// stillAdministered tells whether somebody active administers, and who changes something still does.
func stillAdministered(ctx context.Context, tx pgx.Tx, actor int64) error {
	var somebody, self bool
	err := tx.QueryRow(ctx, `WITH RECURSIVE down (id) AS (
		SELECT member_id FROM members WHERE group_id = $1
		UNION
		SELECT m.member_id FROM down, LATERAL (SELECT member_id FROM members WHERE group_id = down.id OFFSET 0) m
	) SELECT count(*) > 0, count(*) FILTER (WHERE p.id = $2) > 0 FROM down JOIN principals p USING (id) WHERE p.active AND p.kind <> 'Group'`,
		adminsID, actor).Scan(&somebody, &self)
	switch {
	case err != nil:
		return err
	case !somebody:
		return identity.ErrLastAdmin
	case !self:
		return identity.ErrLockedOut
	}
	return nil
}

func confirmed(confirm func(*identity.Principal) error, p *identity.Principal) error {
	if confirm == nil {
		return nil
	}
	return confirm(p)
}

// list is never null.
func list(values []string) []string {
	if values == nil {
		return []string{}
	}
	return values
}

func emails(p *identity.Principal) []identity.Email {
	if p.Emails == nil {
		return []identity.Email{}
	}
	return p.Emails
}

// missing says so in the words of the service.
func missing(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return identity.ErrMissing
	}
	return err
}
