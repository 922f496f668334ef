package tokens

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
)

// Routes are the operations of the service.
func (s *Service) Routes() []endpoint.Route {
	const own, managed = "/api/2.0/token", "/api/2.0/token-management"
	routes := []endpoint.Route{
		{Method: http.MethodPost, Path: own + "/create", Action: "create", Summary: "Make a personal access token", Do: endpoint.JSON(s.createOwn)},
		{Method: http.MethodGet, Path: own + "/list", Action: "list", Summary: "List the caller's tokens", Do: endpoint.JSON(s.listOwn)},
		{Method: http.MethodPost, Path: own + "/delete", Action: "delete", Summary: "Delete a token of the caller", Do: endpoint.JSON(s.deleteOwn)},
		{Method: http.MethodPatch, Path: own + "/{token_id}", Action: "update", Summary: "Change a token of the caller", Do: endpoint.JSON(s.updateOwn)},
		{Method: http.MethodPost, Path: managed + "/on-behalf-of/tokens", Action: "createOnBehalfOf", Access: endpoint.Admins,
			Summary: "Make a token for a service principal", Do: endpoint.JSON(s.createFor)},
		{Method: http.MethodGet, Path: managed + "/tokens", Action: "listAll", Access: endpoint.Admins,
			Summary: "List the tokens of all", Do: endpoint.JSON(s.listAll)},
		{Method: http.MethodGet, Path: managed + "/tokens/{token_id}", Action: "get", Access: endpoint.Admins,
			Summary: "Get a token of anyone", Do: endpoint.JSON(s.get)},
		{Method: http.MethodDelete, Path: managed + "/tokens/{token_id}", Action: "deleteAny", Access: endpoint.Admins,
			Summary: "Delete a token of anyone", Do: endpoint.JSON(s.delete)},
		{Method: http.MethodPatch, Path: managed + "/tokens/{token_id}", Action: "updateAny", Access: endpoint.Admins,
			Summary: "Change a token of anyone", Do: endpoint.JSON(s.update)},
	}
	for i := range routes {
		routes[i].Service = "tokens"
	}
	return routes
}

// publicInfo is a token as its owner sees it.
type publicInfo struct {
	ID        string   `json:"token_id"`
	CreatedAt int64    `json:"creation_time"`
	ExpiresAt int64    `json:"expiry_time"` // -1 for never
	Comment   string   `json:"comment"`
	Scopes    []string `json:"scopes,omitempty"`
}

// info is a token as administrators see it.
type info struct {
	publicInfo
	CreatedByID int64  `json:"created_by_id"`
	CreatedBy   string `json:"created_by_username"`
	OwnerID     int64  `json:"owner_id"`
	LastUsedDay int64  `json:"last_used_day,omitempty"`
	WorkspaceID int64  `json:"workspace_id"`
}

func public(t *Token) publicInfo {
	p := publicInfo{ID: t.ID, CreatedAt: t.CreatedAt.UnixMilli(), ExpiresAt: -1, Comment: t.Comment, Scopes: t.Scopes}
	if t.ExpiresAt != nil {
		p.ExpiresAt = t.ExpiresAt.UnixMilli()
	}
	return p
}

func (s *Service) info(t *Token) info {
	i := info{
		publicInfo: public(t), CreatedByID: t.CreatedByID, CreatedBy: t.CreatedBy, OwnerID: t.OwnerID, WorkspaceID: s.opt.WorkspaceID,
	}
	if t.LastUsedAt != nil {
		i.LastUsedDay = t.LastUsedAt.UTC().Truncate(24 * time.Hour).UnixMilli()
	}
	return i
}

type createInput struct {
	Comment  string   `json:"comment"`
	Lifetime int64    `json:"lifetime_seconds"`
	Scopes   []string `json:"scopes"`
}

type created[Info any] struct {
	Value string `json:"token_value"`
	Info  Info   `json:"token_info"`
}

func (s *Service) createOwn(ctx context.Context, in createInput) (created[publicInfo], error) {
	g := grant{owner: endpoint.Caller(ctx), comment: in.Comment, lifetime: in.Lifetime, scopes: in.Scopes}
	secret, t, err := s.create(ctx, g)
	if err != nil {
		return created[publicInfo]{}, err
	}
	return created[publicInfo]{secret, public(t)}, nil
}

type listOutput[Info any] struct {
	Tokens []Info `json:"token_infos"`
}

func (s *Service) listOwn(ctx context.Context, _ endpoint.None) (listOutput[publicInfo], error) {
	out := listOutput[publicInfo]{Tokens: []publicInfo{}}
	all, err := s.opt.Store.Tokens(ctx, Filter{OwnerID: endpoint.Caller(ctx).ID})
	for i := range all {
		out.Tokens = append(out.Tokens, public(&all[i]))
	}
	return out, err
}

type idInput struct {
	ID string `json:"token_id"`
}

func (s *Service) deleteOwn(ctx context.Context, in idInput) (endpoint.None, error) {
	if _, err := s.owned(ctx, in.ID); err != nil {
		return endpoint.None{}, err
	}
	return endpoint.None{}, s.opt.Store.DeleteToken(ctx, in.ID)
}

// owned returns a token of the caller. That others have it is not for the caller to know.
func (s *Service) owned(ctx context.Context, id string) (*Token, error) {
	t, err := s.token(ctx, id)
	if err != nil {
		return nil, err
	}
	if t.OwnerID != endpoint.Caller(ctx).ID {
		return nil, unknown(id)
	}
	return t, nil
}

func (s *Service) token(ctx context.Context, id string) (*Token, error) {
	if id == "" {
		return nil, endpoint.Invalid("token_id is missing.")
	}
	t, err := s.opt.Store.Token(ctx, id)
	if err == nil && t == nil {
		err = unknown(id)
	}
	return t, err
}

type pathInput struct {
	ID string `path:"token_id"`
}

func (s *Service) get(ctx context.Context, in pathInput) (struct {
	Info info `json:"token_info"`
}, error,
) {
	var out struct {
		Info info `json:"token_info"`
	}
	t, err := s.token(ctx, in.ID)
	if err == nil {
		out.Info = s.info(t)
	}
	return out, err
}

func (s *Service) delete(ctx context.Context, in pathInput) (endpoint.None, error) {
	if _, err := s.token(ctx, in.ID); err != nil {
		return endpoint.None{}, err
	}
	return endpoint.None{}, s.opt.Store.DeleteToken(ctx, in.ID)
}

type updateInput struct {
	ID    string `path:"token_id"`
	Mask  string `json:"update_mask"`
	Token struct {
		Comment string   `json:"comment"`
		Scopes  []string `json:"scopes"`
	} `json:"token"`
}

func (s *Service) updateOwn(ctx context.Context, in updateInput) (endpoint.None, error) {
	t, err := s.owned(ctx, in.ID)
	if err != nil {
		return endpoint.None{}, err
	}
	return endpoint.None{}, s.change(ctx, t, in)
}

func (s *Service) update(ctx context.Context, in updateInput) (endpoint.None, error) {
	t, err := s.token(ctx, in.ID)
	if err != nil {
		return endpoint.None{}, err
	}
	return endpoint.None{}, s.change(ctx, t, in)
}

func (s *Service) change(ctx context.Context, t *Token, in updateInput) error {
	for field := range strings.SplitSeq(in.Mask, ",") {
		switch strings.TrimSpace(field) {
		case "comment":
			t.Comment = in.Token.Comment
		case "scopes":
			t.Scopes = in.Token.Scopes
		default:
			return endpoint.Invalid("update_mask may name comment and scopes.")
		}
	}
	if err := (&grant{comment: t.Comment, scopes: t.Scopes}).validate(); err != nil {
		return err
	}
	return s.opt.Store.UpdateToken(ctx, t)
}

type createForInput struct {
	createInput
	ApplicationID string `json:"application_id"`
}

func (s *Service) createFor(ctx context.Context, in createForInput) (created[info], error) {
	owner, err := s.opt.Directory.Account(ctx, in.ApplicationID)
	if err != nil {
		return created[info]{}, err
	}
	if owner == nil || owner.Kind != auth.ServicePrincipal {
		return created[info]{}, endpoint.NotFound("Service principal " + in.ApplicationID + " does not exist.")
	}
	secret, t, err := s.create(ctx, grant{owner: owner, comment: in.Comment, lifetime: in.Lifetime, scopes: in.Scopes})
	if err != nil {
		return created[info]{}, err
	}
	return created[info]{secret, s.info(t)}, nil
}

type listInput struct {
	CreatedByID int64  `query:"created_by_id"`
	CreatedBy   string `query:"created_by_username"`
}

func (s *Service) listAll(ctx context.Context, in listInput) (listOutput[info], error) {
	out := listOutput[info]{Tokens: []info{}}
	all, err := s.opt.Store.Tokens(ctx, Filter{CreatedByID: in.CreatedByID, CreatedBy: in.CreatedBy})
	for i := range all {
		out.Tokens = append(out.Tokens, s.info(&all[i]))
	}
	return out, err
}
