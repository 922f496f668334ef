package connection

import (
	"context"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// The kinds of principals that grants are for.
const (
	toUser             = "user"
	toServicePrincipal = "service_principal"
	toGroup            = "group"
)

// Grant lets somebody manage a tenant's connections.
func (s *Service) Grant(ctx context.Context, g Grant) (Grant, error) {
	if !nameable(g.Tenant) {
		return g, invalid("The tenantId format is invalid.")
	}
	if err := s.identify(ctx, &g); err != nil {
		return g, err
	}
	if g.Kind != toGroup && g.Principal == 0 {
		return g, fault.New(fault.NotFound, "RESOURCE_DOES_NOT_EXIST", "There is no such principal.")
	}
	g.MadeBy = endpoint.Caller(ctx).Name
	return g, s.store.GrantTenant(ctx, g)
}

// Withdraw takes a grant back.
func (s *Service) Withdraw(ctx context.Context, g Grant) error {
	if err := s.identify(ctx, &g); err != nil {
		return err
	}
	done, err := s.store.RevokeTenant(ctx, g)
	if err == nil && !done {
		return fault.New(fault.NotFound, "RESOURCE_DOES_NOT_EXIST", "There is no such grant.")
	}
	return err
}

// Grants returns who may manage a tenant's connections, besides administrators.
func (s *Service) Grants(ctx context.Context, tenant string) ([]Grant, error) {
	return s.store.TenantGrants(ctx, tenant)
}

// identify finds out who a grant is for.
func (s *Service) identify(ctx context.Context, g *Grant) error {
	if blank(g.Name) || !plain(g.Name, maxField) {
		return invalid("One of user_name, service_principal_name and group_name must say who it is for.")
	}
	if g.Kind == toGroup {
		return nil
	}
	who, err := s.directory.Account(ctx, g.Name)
	if err != nil || who == nil {
		return err
	}
	if (who.Kind == auth.ServicePrincipal) == (g.Kind == toServicePrincipal) {
		g.Principal = who.ID
	}
	return nil
}
