package exec

import (
	"container/list"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tarn-data/tarn/internal/dataapi/rowtext"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// maxStatements is how many statements a connection keeps prepared.
const maxStatements = 256

// statementKey is under which a statement is kept. The role is empty where PostgreSQL's plan doesn't depend on it.
type statementKey struct{ role, sql string }

// statements are those that a connection has prepared, least recently used last.
type statements struct {
	byKey map[statementKey]*list.Element // of *prepared
	order *list.List
	drop  []string // names to deallocate with the next pipeline
	// asked are those that were sent to be prepared over a shared connection, of which the server hasn't said anything yet.
	asked map[statementKey]struct{}
}

func newStatements() statements {
	return statements{byKey: map[statementKey]*list.Element{}, order: list.New()}
}

// prepared is a statement on a connection.
type prepared struct {
	key      statementKey
	name     string // empty for one that isn't kept
	there    bool   // whether the server has said that it has it
	fields   []rowtext.Field
	rendered sqlgen.RowFormat // as what its rows were rendered last
	renders  rowtext.Encoder
	apart    time.Duration // until when it is in no transaction with others
	late     time.Duration // how much longer than the quickest it took of late, where requests share the connection
}

func newPrepared(key statementKey, s *step) *prepared {
	return &prepared{key: key, name: nameOf(s)}
}

// describe takes in what columns the statement's rows have.
func (st *prepared) describe(fields []pgproto3.FieldDescription) {
	st.fields = make([]rowtext.Field, len(fields))
	for i, f := range fields {
		st.fields[i] = rowtext.Field{Name: string(f.Name), OID: f.DataTypeOID}
	}
}

// encoder is what renders the statement's rows; not ok if nothing can.
func (st *prepared) encoder(format sqlgen.RowFormat) (rowtext.Encoder, bool) {
	if st.renders != nil && st.rendered == format {
		return st.renders, true
	}
	e, ok := newEncoder(format, st.fields)
	if ok {
		st.rendered, st.renders = format, e
	}
	return e, ok
}

// nameOf is a name that follows from the statement. So it means the same on all connections, should a pooler that
// doesn't know of statements have two of them share one.
func nameOf(s *step) string {
	hash := sha256.New()
	if s.role != "" {
		_, _ = io.WriteString(hash, s.role+"\x00")
	}
	_, _ = io.WriteString(hash, s.statement.SQL)
	for range s.texts {
		_ = binary.Write(hash, binary.BigEndian, uint32(oidText))
	}
	for _, a := range s.statement.Args {
		_ = binary.Write(hash, binary.BigEndian, a.OID)
	}
	return "tarn_" + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:12])
}

// find finds a statement, which becomes the one used last; nil if there is none.
func (c *statements) find(key statementKey) *prepared {
	e, ok := c.byKey[key]
	if !ok {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*prepared)
}

func (c *statements) keep(st *prepared) {
	delete(c.asked, st.key)
	c.byKey[st.key] = c.order.PushFront(st)
	if c.order.Len() > maxStatements {
		oldest := c.order.Back()
		old := c.order.Remove(oldest).(*prepared)
		delete(c.byKey, old.key)
		c.drop = append(c.drop, old.name)
	}
}

// ask takes note that a statement was sent to be prepared.
func (c *statements) ask(st *prepared) {
	if c.asked == nil {
		c.asked = map[statementKey]struct{}{}
	}
	c.asked[st.key] = struct{}{}
}

func (c *statements) isAsked(key statementKey) bool {
	_, ok := c.asked[key]
	return ok
}

// giveUp has a statement deallocated of which it isn't known whether it was prepared.
func (c *statements) giveUp(st *prepared) {
	delete(c.asked, st.key)
	c.drop = append(c.drop, st.name)
}

// deallocate appends the messages that end the statements that were dropped.
func (c *statements) deallocate(b []byte) []byte {
	for _, name := range c.drop {
		b = appendClose(b, name)
	}
	c.drop = c.drop[:0]
	return b
}

// forget makes a connection prepare all statements anew.
func (c *statements) forget() {
	for key, e := range c.byKey {
		c.drop = append(c.drop, e.Value.(*prepared).name)
		delete(c.byKey, key)
	}
	c.order.Init()
}
