package permissions

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
)

const (
	adminsID   = 1
	maxEntries = 1000
	maxID      = 1024 // bytes
)

// Routes are those of the permissions service.
func (s *Service) Routes() []endpoint.Route {
	const base = "/api/2.0/permissions/{request_object_type}/{request_object_id}"
	route := func(method, suffix, action, summary string, do endpoint.Function) endpoint.Route {
		return endpoint.Route{
			Method: method, Path: base + suffix, Service: "permissions", Action: action, Summary: summary,
			Scope: "access-management", Securable: "request_object_id", Do: do,
		}
	}
	return []endpoint.Route{
		route(http.MethodGet, "", "get", "Gets who may do what with an object", endpoint.JSON(s.get)),
		route(http.MethodPut, "", "set", "Replaces who may do what with an object", endpoint.JSON(s.set)),
		route(http.MethodPatch, "", "update", "Adds to who may do what with an object", endpoint.JSON(s.update)),
		route(http.MethodGet, "/permissionLevels", "getLevels", "Lists what there is to be allowed", endpoint.JSON(s.levels)),
	}
}

type objectInput struct {
	Type string `path:"request_object_type" json:"-"`
	ID   string `path:"request_object_id" json:"-"`
}

type changeInput struct {
	objectInput
	List []request `json:"access_control_list"`
}

// request is a permission as clients ask for it.
type request struct {
	UserName             string `json:"user_name"`
	GroupName            string `json:"group_name"`
	ServicePrincipalName string `json:"service_principal_name"`
	Level                Level  `json:"permission_level"`
}

type objectOutput struct {
	ObjectID   string   `json:"object_id"`
	ObjectType string   `json:"object_type"`
	List       []access `json:"access_control_list"`
}

// access is what one principal may do.
type access struct {
	UserName             string       `json:"user_name,omitempty"`
	GroupName            string       `json:"group_name,omitempty"`
	ServicePrincipalName string       `json:"service_principal_name,omitempty"`
	DisplayName          string       `json:"display_name,omitempty"`
	All                  []permission `json:"all_permissions"`
}

type permission struct {
	Level     Level    `json:"permission_level"`
	Inherited bool     `json:"inherited"`
	From      []string `json:"inherited_from_object,omitempty"`
}

type levelsOutput struct {
	Levels []describedLevel `json:"permission_levels"`
}

type describedLevel struct {
	Level       Level  `json:"permission_level"`
	Description string `json:"description"`
}

// known are the type of an object, and the objects that it inherits from.
func (s *Service) known(ctx context.Context, in objectInput) (Object, objectType, []Object, error) {
	o := Object(in)
	t, ok := typeOf(o)
	if !ok {
		return o, t, nil, endpoint.Invalid("There are no permissions on objects of the type '" + in.Type + "'.")
	}
	if len(o.ID) > maxID || !utf8.ValidString(o.ID) || strings.ContainsFunc(o.ID, unicode.IsControl) {
		return o, t, nil, endpoint.NotFound("There is no such object.")
	}
	parents, err := s.parents(ctx, o)
	return o, t, parents, err
}

func (s *Service) levels(ctx context.Context, in objectInput) (levelsOutput, error) {
	_, t, _, err := s.known(ctx, in)
	out := levelsOutput{}
	for _, l := range t.levels {
		out.Levels = append(out.Levels, describedLevel{l, describe(l)})
	}
	return out, err
}

func (s *Service) get(ctx context.Context, in objectInput) (objectOutput, error) {
	o, t, parents, err := s.known(ctx, in)
	if err != nil {
		return objectOutput{}, err
	}
	if err := s.mayRead(ctx, o, t); err != nil {
		return objectOutput{}, err
	}
	return s.output(ctx, o, t, parents)
}

// mayRead: who may do something with an object may know who else may.
func (s *Service) mayRead(ctx context.Context, o Object, t objectType) error {
	if o.Type == authorizationType && !endpoint.Caller(ctx).Admin {
		return endpoint.Denied("Only administrators may see who may use " + o.ID + ".")
	}
	return s.Check(ctx, endpoint.Caller(ctx), o.Type, o.ID, t.lowest())
}

// mayChange: who manages an object says who else may do something with it.
func (s *Service) mayChange(ctx context.Context, o Object, t objectType) error {
	if t.rank(Manage) < 0 { // nobody but administrators manages these
		if !endpoint.Caller(ctx).Admin {
			return endpoint.Denied("Only administrators may say who may use " + path(o) + ".")
		}
		return nil
	}
	return s.Check(ctx, endpoint.Caller(ctx), o.Type, o.ID, Manage)
}

func (s *Service) set(ctx context.Context, in changeInput) (objectOutput, error) {
	return s.change(ctx, in, func(t objectType, before, asked []Entry) []Entry {
		if t.rank(Owner) < 0 || t.owned || slices.ContainsFunc(asked, owns) {
			return asked
		}
		// Who isn't asked to have an owner keeps the one that is there.
		for _, e := range before {
			if owns(e) {
				asked = append(slices.DeleteFunc(asked, func(a Entry) bool { return a.Principal.ID == e.Principal.ID }), e)
			}
		}
		return asked
	})
}

func (s *Service) update(ctx context.Context, in changeInput) (objectOutput, error) {
	return s.change(ctx, in, func(_ objectType, before, asked []Entry) []Entry {
		newOwner := slices.ContainsFunc(asked, owns)
		for _, e := range before {
			if slices.ContainsFunc(asked, func(a Entry) bool { return a.Principal.ID == e.Principal.ID }) {
				continue
			}
			if newOwner && owns(e) { // who owned it still manages it
				e.Level = Manage
			}
			asked = append(asked, e)
		}
		return asked
	})
}

func owns(e Entry) bool { return e.Level == Owner }

// change changes the permissions on an object, by a function that makes the new ones of those before and those asked for.
func (s *Service) change(ctx context.Context, in changeInput, merge func(t objectType, before, asked []Entry) []Entry) (objectOutput, error) {
	o, t, parents, err := s.known(ctx, in.objectInput)
	if err != nil {
		return objectOutput{}, err
	}
	if err := s.mayChange(ctx, o, t); err != nil {
		return objectOutput{}, err
	}
	asked, err := s.resolve(ctx, o, t, in.List)
	if err != nil {
		return objectOutput{}, err
	}
	err = s.Store.ChangePermissions(ctx, o, func(before []Entry) ([]Entry, error) {
		after := merge(t, before, slices.Clone(asked))
		if owners := slices.DeleteFunc(slices.Clone(after), func(e Entry) bool { return !owns(e) }); len(owners) > 1 || t.owned && len(owners) == 0 {
			return nil, endpoint.Invalid("A " + t.single + " must have exactly one owner.")
		}
		return after, nil
	})
	if err != nil {
		return objectOutput{}, err
	}
	return s.output(ctx, o, t, parents)
}

// resolve finds out who is meant.
func (s *Service) resolve(ctx context.Context, o Object, t objectType, list []request) ([]Entry, error) {
	if len(list) > maxEntries {
		return nil, endpoint.Invalid(fmt.Sprintf("At most %d principals can be given permissions at once.", maxEntries))
	}
	out := make([]Entry, 0, len(list))
	for _, r := range list {
		kind, name := r.who()
		if name == "" {
			return nil, endpoint.Invalid("Each entry names one of user_name, group_name and service_principal_name.")
		}
		if t.rank(r.Level) < 0 {
			return nil, endpoint.Invalid(fmt.Sprintf("'%s' is no permission level of %s: there are %v.", r.Level, o.Type, t.levels))
		}
		var p *Principal
		if !strings.ContainsRune(name, 0) { // which PostgreSQL has no texts with
			var err error
			if p, err = s.Store.PrincipalNamed(ctx, kind, name); err != nil {
				return nil, err
			}
		}
		switch {
		case p == nil:
			return nil, endpoint.NotFound("Principal '" + name + "' does not exist.")
		case p.ID == adminsID && r.Level != t.top():
			return nil, endpoint.Invalid("The permissions of the group admins can't be changed.")
		case p.ID == adminsID: // has it anyway
			continue
		case kind == group && r.Level == Owner:
			return nil, endpoint.Invalid("A group can't be an owner.")
		case slices.ContainsFunc(out, func(e Entry) bool { return e.Principal.ID == p.ID }):
			return nil, endpoint.Invalid("'" + name + "' is named more than once.")
		}
		out = append(out, Entry{o, *p, r.Level})
	}
	return out, nil
}

// who is the one principal that is named; without a name if it isn't one.
func (r request) who() (auth.Kind, string) {
	switch {
	case r.UserName != "" && r.GroupName == "" && r.ServicePrincipalName == "":
		return auth.User, r.UserName
	case r.GroupName != "" && r.UserName == "" && r.ServicePrincipalName == "":
		return group, r.GroupName
	case r.ServicePrincipalName != "" && r.UserName == "" && r.GroupName == "":
		return auth.ServicePrincipal, r.ServicePrincipalName
	}
	return "", ""
}

// output is all that is allowed on an object, also by what it inherits.
func (s *Service) output(ctx context.Context, o Object, t objectType, parents []Object) (objectOutput, error) {
	entries, err := s.Store.Permissions(ctx, append([]Object{o}, parents...))
	if err != nil {
		return objectOutput{}, err
	}
	out := objectOutput{ObjectID: path(o), ObjectType: t.single, List: []access{}}
	at := map[int64]int{}
	add := func(p Principal, granted permission) {
		i, ok := at[p.ID]
		if !ok {
			i = len(out.List)
			at[p.ID] = i
			out.List = append(out.List, newAccess(p))
		}
		out.List[i].All = append(out.List[i].All, granted)
	}
	order := func(e Entry) int { return slices.Index(parents, e.Object) } // the object itself is before all
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), cmp.Compare(a.Principal.ID, b.Principal.ID))
	})
	for _, e := range entries {
		switch {
		case t.rank(e.Level) < 0: // says nothing of this type
		case e.Object == o:
			add(e.Principal, permission{Level: e.Level})
		default:
			add(e.Principal, permission{e.Level, true, []string{path(e.Object)}})
		}
	}
	admins := Principal{ID: adminsID, Kind: group, Name: "admins"}
	add(admins, permission{t.top(), true, []string{"/" + o.Type + "/"}})
	return out, nil
}

func newAccess(p Principal) access {
	switch p.Kind {
	case auth.User:
		return access{UserName: p.Name, DisplayName: p.DisplayName}
	case auth.ServicePrincipal:
		return access{ServicePrincipalName: p.Name, DisplayName: p.DisplayName}
	}
	return access{GroupName: p.Name}
}
