package prepared

import "sync"

const (
	// maxShapes is how many shapes a generation has. There are two.
	maxShapes = 512
	// maxKey is how long a shape's key may be: what is longer has values that can't be told from the rest of it.
	maxKey = 4 << 10
)

// generations keep what was used lately: when the young generation is full it becomes the old one, and the old one is
// forgotten but for what was used again meanwhile. It is safe for concurrent use.
type generations struct {
	mu         sync.RWMutex
	young, old map[string]*template
}

// get finds a template; one that is nil is known not to exist.
func (g *generations) get(key []byte) (t *template, known bool) {
	g.mu.RLock()
	t, known = g.young[string(key)]
	aged := false
	if !known {
		t, aged = g.old[string(key)]
	}
	g.mu.RUnlock()
	if aged {
		g.put(string(key), t)
	}
	return t, known || aged
}

func (g *generations) put(key string, t *template) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.young == nil || len(g.young) >= maxShapes {
		g.young, g.old = make(map[string]*template), g.young
	}
	g.young[key] = t
}
