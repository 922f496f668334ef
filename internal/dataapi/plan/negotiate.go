package plan

import (
	"strings"

	"github.com/tarn-data/tarn/internal/dataapi/media"
	"github.com/tarn-data/tarn/internal/dataapi/schema"
	"github.com/tarn-data/tarn/internal/fault"
)

// negotiate picks the first accepted media type that can be made of the target, and what makes it.
func (p *planner) negotiate(target schema.Ident, tree *Node) (schema.ResolvedHandler, error) {
	whole := len(tree.Children) == 0 && len(tree.Select) == 1 && tree.Select[0].Field.Name == "*"
	for _, t := range p.req.Accept {
		if h, ok := p.handler(t, target, whole); ok {
			return h, nil
		}
	}
	return schema.ResolvedHandler{}, notAcceptable(p.req.Accept)
}

func (p *planner) handler(t media.Type, target schema.Ident, whole bool) (schema.ResolvedHandler, bool) {
	if t.Kind == media.Plan {
		if !p.opt.PlanEnabled {
			return schema.ResolvedHandler{}, false
		}
		h, ok := p.handler(t.Explained(), target, whole)
		h.Media = t
		return h, ok
	}
	if kind := vendored(t.Kind); kind != schema.NoHandler {
		return schema.ResolvedHandler{Handler: schema.Handler{Kind: kind}, Media: t}, true
	}
	// Handlers of a relation render whole rows of it, so a select of some columns can't use them.
	if whole {
		if h, ok := p.cache.Handlers[schema.HandlerKey{Target: target, Media: media.Of(media.Any)}]; ok {
			return h, true
		}
		if h, ok := p.cache.Handlers[schema.HandlerKey{Target: target, Media: t}]; ok {
			return h, true
		}
	}
	h, ok := p.cache.Handlers[schema.HandlerKey{Media: t}]
	return h, ok
}

// vendored is the handler of a media type that can't be overridden, since it has parameters.
func vendored(k media.Kind) schema.HandlerKind {
	switch k { //nolint:exhaustive // the others can be overridden
	case media.Singular:
		return schema.HandleSingle
	case media.SingularStripped:
		return schema.HandleSingleStripped
	case media.ArrayStripped:
		return schema.HandleJSONStripped
	}
	return schema.NoHandler
}

func notAcceptable(accept []media.Type) error {
	names := make([]string, len(accept))
	for i, t := range accept {
		names[i] = t.String()
	}
	return fault.New(fault.NotAcceptable, "PGRST107", "None of these media types are available: "+strings.Join(names, ", "))
}
