// Package prepared makes of a request what the database is to be asked: it takes it through parsing, planning and SQL. What
// it makes of one request it keeps for those that differ from it in their values only. It knows neither the caller nor
// the database.
package prepared

import (
	"sync"

	"github.com/tarn-data/tarn/internal/dataapi/plan"
	"github.com/tarn-data/tarn/internal/dataapi/request"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/dataapi/sqlgen"
)

// Work is a request and what is to be done about it.
type Work struct {
	Request *request.Request
	Plan    plan.Plan // perhaps of a request with other values
	Query   *sqlgen.Query
	Legacy  []plan.LegacyTarget
}

// Cache prepares requests against one snapshot of the schema. It is safe for concurrent use.
type Cache struct {
	schema *schema.Cache
	plan   plan.Options
	sql    sqlgen.Options
	shapes generations
	pool   sync.Pool // of *request.Shape
}

// New makes a cache for a snapshot and settings. It ends with them.
func New(c *schema.Cache, p plan.Options, s sqlgen.Options) *Cache {
	return &Cache{schema: c, plan: p, sql: s}
}

// template is what is kept of a shape: all but the values.
type template struct {
	request *request.Request
	plan    plan.Plan
	query   *sqlgen.Template
	legacy  []plan.LegacyTarget
}

// Prepare prepares a request.
func (c *Cache) Prepare(in request.Input, opt request.Options) (*Work, error) {
	if in.Stream != nil {
		return c.alone(in, opt)
	}
	s, ok := c.pool.Get().(*request.Shape)
	if !ok {
		s = new(request.Shape)
	}
	defer c.pool.Put(s)
	if !s.Read(in, opt) || len(s.Key()) > maxKey {
		return c.alone(in, opt)
	}
	t, known := c.shapes.get(s.Key())
	if !known {
		if t = c.template(s, in, opt); t == nil {
			w, err := c.alone(in, opt)
			if err == nil {
				c.shapes.put(string(s.Key()), nil) // so that it isn't tried again
			}
			return w, err
		}
		c.shapes.put(string(s.Key()), t)
	}
	if t != nil {
		if q, ok := t.query.Fill(s); ok {
			return &Work{Request: s.Fill(t.request, in), Plan: t.plan, Query: q, Legacy: t.legacy}, nil
		}
	}
	return c.alone(in, opt)
}

// template makes what is kept of a shape; nil where the values end up in what can't be told from others.
func (c *Cache) template(s *request.Shape, in request.Input, opt request.Options) *template {
	r, err := s.Template(in, opt)
	if err != nil {
		return nil
	}
	w, err := c.work(r, c.sql)
	if err != nil || w.Query == nil {
		return nil
	}
	q, ok := sqlgen.NewTemplate(w.Query, s.Values(), c.sql)
	if !ok {
		return nil
	}
	return &template{request: r, plan: w.Plan, query: q, legacy: w.Legacy}
}

// Anew prepares a request by itself, and its statement as changed options want it.
func (c *Cache) Anew(in request.Input, opt request.Options, change func(*sqlgen.Options)) (*Work, error) {
	r, err := request.Parse(in, opt)
	if err != nil {
		return nil, err
	}
	sql := c.sql
	change(&sql)
	return c.work(r, sql)
}

func (c *Cache) alone(in request.Input, opt request.Options) (*Work, error) {
	return c.Anew(in, opt, func(*sqlgen.Options) {})
}

func (c *Cache) work(r *request.Request, sql sqlgen.Options) (*Work, error) {
	p, err := plan.New(r, c.schema, c.plan)
	if err != nil {
		return nil, err
	}
	q, err := sqlgen.Build(p, r.Prefer, sql)
	if err != nil {
		return nil, err
	}
	return &Work{Request: r, Plan: p, Query: q, Legacy: plan.LegacyTargets(p)}, nil
}
