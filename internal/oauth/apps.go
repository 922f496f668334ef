package oauth

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/endpoint"
)

// App is a client that an administrator registered.
type App struct {
	IntegrationID string
	ClientID      string
	Name          string
	Secret        *Digest // nil for an app that can't keep one
	RedirectURLs  []string
	Scopes        []string
	AccessTTL     time.Duration // zero for the service's
	RefreshTTL    time.Duration // likewise
	CreatedByID   int64
	CreatedBy     string
	CreatedAt     time.Time
}

// AppStore keeps registered clients.
type AppStore interface {
	AddApp(ctx context.Context, a *App) error
	// AppByClient returns nil if there is none; likewise App.
	AppByClient(ctx context.Context, clientID string) (*App, error)
	App(ctx context.Context, integrationID string) (*App, error)
	Apps(ctx context.Context) ([]App, error)
	UpdateApp(ctx context.Context, a *App) error
	// DeleteApp removes a client with all that people let it do.
	DeleteApp(ctx context.Context, integrationID string) error
}

const (
	mostRedirects = 50
	// maxAccess is how long an access token may be good: as long, it must be remembered that it was taken back.
	maxAccess  = 24 * time.Hour
	maxRefresh = sessionLifetime
)

func (s *Service) appRoutes() []endpoint.Route {
	const path = "/api/2.0/accounts/{account_id}/oauth2/custom-app-integrations"
	const one = path + "/{integration_id}"
	admins := endpoint.Admins
	return []endpoint.Route{
		{Method: http.MethodPost, Path: path, Action: "createApp", Summary: "Register a client", Access: admins, Do: endpoint.JSON(s.createApp)},
		{Method: http.MethodGet, Path: path, Action: "listApps", Summary: "List registered clients", Access: admins, Do: endpoint.JSON(s.listApps)},
		{Method: http.MethodGet, Path: one, Action: "getApp", Summary: "Get a registered client", Access: admins, Do: endpoint.JSON(s.getApp)},
		{Method: http.MethodPatch, Path: one, Action: "updateApp", Summary: "Change a registered client", Access: admins, Do: endpoint.JSON(s.updateApp)},
		{Method: http.MethodDelete, Path: one, Action: "deleteApp", Summary: "Delete a registered client", Access: admins, Do: endpoint.JSON(s.deleteApp)},
	}
}

// inAccount is the part of an input that names the account.
type inAccount struct {
	Account string `path:"account_id"`
}

// ofAccount refuses other accounts than the one that there is.
func (s *Service) ofAccount(in inAccount) error {
	if in.Account != s.opt.AccountID {
		return endpoint.NotFound("There is no account " + in.Account + ".")
	}
	return nil
}

type tokenPolicy struct {
	Access  int  `json:"access_token_ttl_in_minutes,omitempty"`
	Refresh int  `json:"refresh_token_ttl_in_minutes,omitempty"`
	Single  bool `json:"enable_single_use_refresh_tokens"`
}

type appInput struct {
	inAccount
	ID           string       `path:"integration_id"`
	Name         string       `json:"name"`
	Confidential bool         `json:"confidential"`
	RedirectURLs []string     `json:"redirect_urls"`
	Scopes       []string     `json:"scopes"`
	Policy       *tokenPolicy `json:"token_access_policy"`
}

type appOutput struct {
	ID           string      `json:"integration_id"`
	ClientID     string      `json:"client_id"`
	Name         string      `json:"name"`
	Confidential bool        `json:"confidential"`
	RedirectURLs []string    `json:"redirect_urls"`
	Scopes       []string    `json:"scopes"`
	Policy       tokenPolicy `json:"token_access_policy"`
	CreatedByID  int64       `json:"created_by"`
	CreatedBy    string      `json:"creator_username"`
	CreatedAt    string      `json:"create_time"`
}

func outputOf(a *App) appOutput {
	return appOutput{
		ID: a.IntegrationID, ClientID: a.ClientID, Name: a.Name, Confidential: a.Secret != nil, RedirectURLs: a.RedirectURLs, Scopes: a.Scopes,
		Policy:      tokenPolicy{Access: minutes(a.AccessTTL, accessLifetime), Refresh: minutes(a.RefreshTTL, refreshLifetime), Single: true},
		CreatedByID: a.CreatedByID, CreatedBy: a.CreatedBy, CreatedAt: a.CreatedAt.UTC().Format(time.RFC3339),
	}
}

func minutes(d, otherwise time.Duration) int {
	if d == 0 {
		d = otherwise
	}
	return int(d / time.Minute)
}

type createdApp struct {
	ID       string `json:"integration_id"`
	ClientID string `json:"client_id"`
	Secret   string `json:"client_secret,omitempty"`
}

func (s *Service) createApp(ctx context.Context, in appInput) (createdApp, error) {
	if err := s.ofAccount(in.inAccount); err != nil {
		return createdApp{}, err
	}
	if in.Name == "" || len(in.Name) > maxParameter || len(in.RedirectURLs) == 0 {
		return createdApp{}, endpoint.Invalid("name and redirect_urls are needed.")
	}
	caller := endpoint.Caller(ctx)
	app := &App{
		IntegrationID: strings.ToLower(rand.Text()), ClientID: strings.ToLower(rand.Text()), Name: in.Name,
		CreatedByID: caller.ID, CreatedBy: caller.Name, CreatedAt: s.opt.Now(),
		Scopes: []string{allAPIs, scopeOffline, scopeOpenID, scopeProfile, scopeEmail},
	}
	if err := s.change(app, in); err != nil {
		return createdApp{}, err
	}
	out := createdApp{ID: app.IntegrationID, ClientID: app.ClientID}
	if in.Confidential {
		var digest Digest
		out.Secret, digest = newSecret("dose")
		app.Secret = &digest
	}
	return out, s.opt.Store.AddApp(ctx, app)
}

// change takes over what an input says of an app.
func (s *Service) change(app *App, in appInput) error {
	if in.RedirectURLs != nil {
		if len(in.RedirectURLs) > mostRedirects {
			return endpoint.Invalid("There are too many redirect_urls.")
		}
		for _, address := range in.RedirectURLs {
			if err := checkRedirect(address); err != nil {
				return err
			}
		}
		app.RedirectURLs = in.RedirectURLs
	}
	if in.Scopes != nil {
		if !within(in.Scopes, s.scopes()) || len(in.Scopes) == 0 {
			return endpoint.Invalid("scopes may be of: " + strings.Join(s.scopes(), ", ") + ".")
		}
		app.Scopes = in.Scopes
	}
	if in.Policy != nil {
		app.AccessTTL, app.RefreshTTL = time.Duration(in.Policy.Access)*time.Minute, time.Duration(in.Policy.Refresh)*time.Minute
		if app.AccessTTL < 0 || app.AccessTTL > maxAccess || app.RefreshTTL < 0 || app.RefreshTTL > maxRefresh {
			return endpoint.Invalid("An access token is good for 1440 minutes at most, and a refresh token for 129600.")
		}
	}
	return nil
}

// checkRedirect refuses addresses to which no code may go.
func checkRedirect(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || strings.Contains(address, "#") || strings.Contains(address, "*") || len(address) > maxParameter {
		return endpoint.Invalid("A redirect URL is a whole address, without user, wildcard or fragment.")
	}
	if u.Scheme != "https" && !loopback(u) {
		return endpoint.Invalid("A redirect URL is https, unless it is on the person's own machine.")
	}
	return nil
}

type appsOutput struct {
	Apps []appOutput `json:"apps"`
}

func (s *Service) listApps(ctx context.Context, in inAccount) (appsOutput, error) {
	out := appsOutput{Apps: []appOutput{}}
	if err := s.ofAccount(in); err != nil {
		return out, err
	}
	apps, err := s.opt.Store.Apps(ctx)
	for i := range apps {
		out.Apps = append(out.Apps, outputOf(&apps[i]))
	}
	return out, err
}

func (s *Service) app(ctx context.Context, in appInput) (*App, error) {
	if err := s.ofAccount(in.inAccount); err != nil {
		return nil, err
	}
	app, err := s.opt.Store.App(ctx, in.ID)
	if err == nil && app == nil {
		err = endpoint.NotFound("There is no integration " + in.ID + ".")
	}
	return app, err
}

func (s *Service) getApp(ctx context.Context, in appInput) (appOutput, error) {
	app, err := s.app(ctx, in)
	if err != nil {
		return appOutput{}, err
	}
	return outputOf(app), nil
}

func (s *Service) updateApp(ctx context.Context, in appInput) (endpoint.None, error) {
	app, err := s.app(ctx, in)
	if err != nil {
		return endpoint.None{}, err
	}
	if err := s.change(app, in); err != nil {
		return endpoint.None{}, err
	}
	return endpoint.None{}, s.opt.Store.UpdateApp(ctx, app)
}

func (s *Service) deleteApp(ctx context.Context, in appInput) (endpoint.None, error) {
	if _, err := s.app(ctx, in); err != nil {
		return endpoint.None{}, err
	}
	return endpoint.None{}, s.opt.Store.DeleteApp(ctx, in.ID)
}
