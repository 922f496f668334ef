package identity

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/tarn-data/tarn/internal/endpoint"
)

// Self is a principal as it is told of itself. Many ask for that again and again, so it is written once.
type Self struct {
	resource Resource
	answer   func() (endpoint.Response, error)
}

// NewSelf makes one of a principal with its groups.
func NewSelf(p *Principal) *Self {
	r := view{}.render(p)
	if r.UserName == "" {
		r.UserName = p.Name // for who isn't a person, clients look there, too
	}
	return &Self{r, sync.OnceValues(func() (endpoint.Response, error) {
		text, err := json.Marshal(r)
		return answer(http.StatusOK, endpoint.Rendered(text)), err
	})}
}
