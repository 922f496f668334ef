package identity

import (
	"encoding/json"
	"sync"

	"github.com/tarn-data/tarn/internal/endpoint"
)

// Self is a principal as it is told of itself. Many ask for that again and again, so it is written once.
type Self struct {
	resource Resource
	text     func() (endpoint.Rendered, error)
}

// NewSelf makes one of a principal with its groups.
func NewSelf(p *Principal) *Self {
	r := view{}.render(p)
	if r.UserName == "" {
		r.UserName = p.Name // for who isn't a person, clients look there, too
	}
	return &Self{r, sync.OnceValues(func() (endpoint.Rendered, error) { return json.Marshal(r) })}
}
