package plan_test

import (
	"testing"

	"github.com/tarn-data/tarn/internal/dataapi/plan"
)

// What runs no code of the database's users, and what is found by its values.
func TestQuietAndSelective(t *testing.T) {
	cache := library()
	for target, want := range map[string][2]bool{
		"GET /books":                                            {true, false},
		"GET /books?id=eq.1":                                    {true, false},
		"GET /books?id=eq.1&title=eq.x":                         {true, false},
		"GET /books?id=not.eq.1":                                {true, true},
		"GET /books?id=gt.1":                                    {true, true},
		"GET /books?id=eq(any).{1}":                             {true, true},
		"GET /books?or=(id.eq.1,id.eq.2)":                       {true, true},
		"GET /book_tags?book_id=eq.1":                           {true, true},
		"GET /book_tags?book_id=eq.1&tag_id=eq.2":               {true, false},
		"GET /books?doc->>a=eq.x&order=title":                   {true, true},
		"GET /books?select=id,authors(name),tags(name)&id=eq.1": {true, false},
		"GET /books?select=id,tags(name)&id=eq.1&tags.id=eq.1":  {true, true},
		"GET /books?select=id::text":                            {false, false},
		"GET /books?select=shout":                               {false, false},
		"GET /books?shout=eq.x":                                 {false, true},
		"GET /books?or=(id.eq.1,and(shout.eq.x,id.gt.1))":       {false, true},
		"GET /books?order=shout":                                {false, false},
		"GET /books?select=id,similar(id)":                      {false, false},
		"GET /books?select=id,secrets(*)":                       {false, false},
		"GET /best":                                             {false, false},
		"GET /secrets?id=eq.1":                                  {false, false},
		"GET /own?id=eq.1":                                      {true, false},
		"GET /books?select=id,own(*)":                           {true, false},
		"GET /own?select=id,books(id,secrets(id))":              {false, false},
		"GET /paints":                                           {false, false},
	} {
		p, err := plan.New(ask{target: target}.parse(t), cache, allowed())
		if err != nil {
			t.Fatalf("%s: %v", target, err)
		}
		read, ok := p.(*plan.Read)
		if !ok {
			t.Fatalf("%s: %T", target, p)
		}
		if got := [2]bool{read.Quiet, read.Selective}; got != want {
			t.Errorf("%s: quiet and selective: %v", target, got)
		}
	}
}
