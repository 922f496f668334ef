// Package permissions provides who may do what with the objects of the workspace: the API by which that is managed, and
// the one place that services ask. It doesn't know what objects there are, but asks who does.
package permissions

import (
	"context"
	"errors"
	"slices"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
)

// Object is what permissions are about. The type is the one of paths, such as clusters.
type Object struct{ Type, ID string }

// Principal is whom a permission is given to.
type Principal struct {
	ID          int64
	Kind        auth.Kind // or Group
	Name        string
	DisplayName string
}

const group auth.Kind = "Group"

// Entry is a permission that was given.
type Entry struct {
	Object    Object
	Principal Principal
	Level     Level
}

// Store keeps permissions.
type Store interface {
	Permissions(ctx context.Context, objects []Object) ([]Entry, error)
	// ChangePermissions replaces those of an object, by a function that gets them as they are.
	ChangePermissions(ctx context.Context, o Object, change func([]Entry) ([]Entry, error)) error
	// PrincipalNamed finds a principal by its name; nil if there is none.
	PrincipalNamed(ctx context.Context, kind auth.Kind, name string) (*Principal, error)
}

// Source knows the objects of a type.
type Source interface {
	// Parents are those that an object inherits permissions from, the nearest first. It returns ErrNoObject if there is
	// no such object.
	Parents(ctx context.Context, id string) ([]Object, error)
}

// ErrNoObject says that there is no such object.
var ErrNoObject = errors.New("no such object")

// Service says who may do what. It is safe for concurrent use.
type Service struct {
	Store   Store
	Sources map[string]Source // by the type of objects
}

// Check tells whether an account may do with an object what a level allows; else its error is a fault.
func (s *Service) Check(ctx context.Context, a *auth.Account, objectType, objectID string, level Level) error {
	o := Object{objectType, objectID}
	t, ok := typeOf(o)
	if !ok || t.rank(level) < 0 {
		return errors.New("there is no level " + string(level) + " of " + objectType)
	}
	if a.Admin {
		return nil
	}
	parents, err := s.parents(ctx, o)
	if err != nil {
		return err
	}
	has, err := s.level(ctx, a, t, append([]Object{o}, parents...))
	if err != nil {
		return err
	}
	if has < t.rank(level) {
		return endpoint.Denied("You need " + string(level) + " on " + path(o) + " to do this.")
	}
	return nil
}

// level is the rank of the highest level that an account has on any of the objects, itself or through its groups.
func (s *Service) level(ctx context.Context, a *auth.Account, t objectType, objects []Object) (int, error) {
	entries, err := s.Store.Permissions(ctx, objects)
	has := -1
	for _, e := range entries {
		_, in := slices.BinarySearch(a.Groups, e.Principal.ID)
		if e.Principal.ID == a.ID || in {
			has = max(has, t.rank(e.Level))
		}
	}
	return has, err
}

// Created gives an object to who made it.
func (s *Service) Created(ctx context.Context, objectType, objectID string, a *auth.Account) error {
	o := Object{objectType, objectID}
	t, ok := typeOf(o)
	if !ok {
		return errors.New("there is no type " + objectType)
	}
	highest := t.levels[len(t.levels)-1]
	return s.Store.ChangePermissions(ctx, o, func([]Entry) ([]Entry, error) {
		return []Entry{{Object: o, Principal: Principal{ID: a.ID}, Level: highest}}, nil
	})
}

// Deleted forgets the permissions on an object.
func (s *Service) Deleted(ctx context.Context, objectType, objectID string) error {
	return s.Store.ChangePermissions(ctx, Object{objectType, objectID}, func([]Entry) ([]Entry, error) { return nil, nil })
}

// parents also tells whether there is the object at all.
func (s *Service) parents(ctx context.Context, o Object) ([]Object, error) {
	if o.Type == authorizationType {
		return nil, nil
	}
	source, ok := s.Sources[o.Type]
	if !ok {
		return nil, noObject(o)
	}
	parents, err := source.Parents(ctx, o.ID)
	if errors.Is(err, ErrNoObject) {
		return nil, noObject(o)
	}
	return parents, err
}

func noObject(o Object) error { return endpoint.NotFound(path(o) + " does not exist.") }

func path(o Object) string { return "/" + o.Type + "/" + o.ID }
