package exec

import (
	"container/list"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// maxStatements is how many statements a connection keeps prepared.
const maxStatements = 256

// cacheKey is under which a connection carries its cache.
const cacheKey = "tarn.statements"

// statements are those that a connection has prepared, least recently used last.
type statements struct {
	byKey map[string]*list.Element // of *prepared
	order *list.List
	drop  []string // names to deallocate with the next pipeline
}

// prepared is a statement on a connection. Its description is nil until the server has answered.
type prepared struct {
	key         string
	name        string
	description *pgconn.StatementDescription
	unnamed     bool
}

func cacheOf(conn *pgconn.PgConn) *statements {
	data := conn.CustomData()
	if c, ok := data[cacheKey].(*statements); ok {
		return c
	}
	c := &statements{byKey: map[string]*list.Element{}, order: list.New()}
	data[cacheKey] = c
	return c
}

// forget makes a connection prepare all statements anew.
func forget(conn *pgconn.PgConn) {
	c := cacheOf(conn)
	for key, e := range c.byKey {
		c.drop = append(c.drop, e.Value.(*prepared).name)
		delete(c.byKey, key)
	}
	c.order.Init()
}

// deallocate queues the end of the statements that were dropped.
func (c *statements) deallocate(p *pgconn.Pipeline) {
	for _, name := range c.drop {
		p.SendDeallocate(name)
	}
	c.drop = c.drop[:0]
}

// send queues a statement after others, preparing it first if the connection doesn't have it.
func (c *statements) send(p *pgconn.Pipeline, s *step, keep bool, before []*prepared) *prepared {
	values, oids, formats := arguments(s)
	if !keep || s.key == "" {
		p.SendQueryParams(s.statement.SQL, values, oids, formats, s.formats)
		return &prepared{unnamed: true}
	}
	if e, ok := c.byKey[s.key]; ok {
		c.order.MoveToFront(e)
		st := e.Value.(*prepared)
		p.SendQueryStatement(st.description, values, formats, s.formats)
		return st
	}
	if i := slices.IndexFunc(before, func(st *prepared) bool { return st.key == s.key }); i >= 0 {
		p.SendQueryPrepared(before[i].name, values, formats, s.formats)
		return before[i]
	}
	st := &prepared{key: s.key, name: nameOf(s.key, oids)}
	p.SendPrepare(st.name, s.statement.SQL, oids)
	p.SendQueryPrepared(st.name, values, formats, s.formats)
	return st
}

// nameOf is a name that follows from the statement. So it means the same on all connections, should a pooler that
// doesn't know of statements have two of them share one.
func nameOf(key string, oids []uint32) string {
	hash := sha256.New()
	_, _ = io.WriteString(hash, key)
	for _, oid := range oids {
		_ = binary.Write(hash, binary.BigEndian, oid)
	}
	return "tarn_" + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:12])
}

func arguments(s *step) (values [][]byte, oids []uint32, formats []int16) {
	n := len(s.statement.Args)
	if n == 0 {
		return nil, nil, nil
	}
	values, oids = make([][]byte, n), make([]uint32, n)
	for i, a := range s.statement.Args {
		values[i], oids[i] = a.Value, a.OID
		if a.Binary {
			if formats == nil {
				formats = make([]int16, n)
			}
			formats[i] = 1
		}
	}
	return values, oids, formats
}

// receive reads the results of all steps up to the Sync.
func (c *statements) receive(p *pgconn.Pipeline, steps []step, sent []*prepared) error {
	first := c.results(p, steps, sent)
	if first != nil {
		for _, st := range sent {
			if !st.unnamed && st.description == nil { // it is there or not
				c.drop = append(c.drop, st.name)
			}
		}
	}
	return first
}

func (c *statements) results(p *pgconn.Pipeline, steps []step, sent []*prepared) error {
	var first error
	for i := 0; ; {
		res, err := p.GetResults()
		if err != nil {
			var pgErr *pgconn.PgError
			if !errors.As(err, &pgErr) {
				if first != nil {
					return first // which says why the connection is broken
				}
				return err
			}
			if first == nil {
				first = pgErr
			}
			continue
		}
		switch res := res.(type) {
		case *pgconn.PipelineSync:
			return first
		case *pgconn.StatementDescription:
			res.Name = sent[i].name
			c.keep(sent[i], res)
		case *pgconn.ResultReader:
			if i < len(steps) {
				steps[i].rows(res)
				i++
			}
			if _, err := res.Close(); err != nil && first == nil {
				first = err
			}
		case nil:
			return errors.Join(first, errors.New("the pipeline ended early"))
		}
	}
}

func (c *statements) keep(st *prepared, d *pgconn.StatementDescription) {
	st.description = d
	c.byKey[st.key] = c.order.PushFront(st)
	if c.order.Len() > maxStatements {
		oldest := c.order.Back()
		old := c.order.Remove(oldest).(*prepared)
		delete(c.byKey, old.key)
		c.drop = append(c.drop, old.name)
	}
}
