package oauth

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// The cookies: who is logged in, what a form must come back with, and who went to another provider.
const (
	loginCookie    = "tarn_login"
	formCookie     = "tarn_form"
	externalCookie = "tarn_external"
)

// cookie makes one that no script sees, nor another site's request brings along.
func (s *Service) cookie(r *http.Request, name, value string, lifetime time.Duration) *http.Cookie {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(lifetime / time.Second)}
	if strings.HasPrefix(s.opt.Origin(r), "https://") {
		c.Name, c.Secure = "__Host-"+name, true // no other host of the domain can set it
	}
	return c
}

func (s *Service) readCookie(r *http.Request, name string) string {
	if strings.HasPrefix(s.opt.Origin(r), "https://") {
		name = "__Host-" + name
	}
	if c, err := r.Cookie(name); err == nil {
		return c.Value
	}
	return ""
}

// login returns who has logged in with this browser; nil if nobody has.
func (s *Service) login(r *http.Request) (*Login, error) {
	value := s.readCookie(r, loginCookie)
	if value == "" {
		return nil, nil //nolint:nilnil // nobody has
	}
	return s.opt.Store.Login(r.Context(), digestOf(value))
}

// formToken returns what forms must come back with: another site can't know it.
func (s *Service) formToken(w http.ResponseWriter, r *http.Request) string {
	value := s.readCookie(r, formCookie)
	if value == "" {
		value, _ = newSecret("")
		http.SetCookie(w, s.cookie(r, formCookie, value, loginLifetime))
	}
	return value
}

// ownForm refuses forms that another site had the browser send.
func (s *Service) ownForm(r *http.Request) error {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return foreignForm().WithCause(err)
	}
	if err := r.ParseForm(); err != nil {
		return invalidRequest("The form could not be read.").WithCause(err)
	}
	want, got := s.readCookie(r, formCookie), r.PostForm.Get("form")
	if want == "" || subtle.ConstantTimeCompare([]byte(want), []byte(got)) != 1 {
		return foreignForm()
	}
	return nil
}

func foreignForm() *fault.Error {
	return fault.New(fault.Denied, "access_denied", "The form was not sent from this page. Go back to where you came from and begin anew; cookies must be allowed.")
}

// postLogin takes a user name and a password.
func (s *Service) postLogin(w http.ResponseWriter, r *http.Request, c *endpoint.Call) error {
	a, err := s.parseAuthorization(r)
	if err != nil {
		return s.refuse(w, r, a, err)
	}
	if err := s.ownForm(r); err != nil {
		return s.refuse(w, r, nil, err)
	}
	user, password := strings.TrimSpace(r.PostForm.Get("user")), r.PostForm.Get("password")
	c.Params = map[string]any{"client_id": a.client.id, "user": printable(user)}
	account, err := s.opt.Passwords.VerifyPassword(r.Context(), user, password)
	if err != nil {
		f := fault.From(err)
		if f.Kind >= fault.Internal {
			return err
		}
		for _, h := range f.Headers {
			if h.Name == "Retry-After" {
				w.Header().Set(h.Name, h.Value)
			}
		}
		c.Err = f // for the audit log
		return s.showLogin(w, r, a, int(f.Kind), user, f.Message)
	}
	return s.loggedIn(w, r, account, a.query)
}

// loggedIn begins a login of its own: whatever cookie the browser brought is of no use any more.
func (s *Service) loggedIn(w http.ResponseWriter, r *http.Request, account *auth.Account, query string) error {
	if before := s.readCookie(r, loginCookie); before != "" {
		if err := s.opt.Store.DeleteLogin(r.Context(), digestOf(before)); err != nil {
			return err
		}
	}
	value, digest := newSecret("")
	l := Login{Cookie: digest, PrincipalID: account.ID, Principal: account.Name, At: s.opt.Now()}
	if err := s.opt.Store.AddLogin(r.Context(), l, loginLifetime); err != nil {
		return err
	}
	endpoint.CallFrom(r.Context()).Account = account // for the audit log
	http.SetCookie(w, s.cookie(r, loginCookie, value, loginLifetime))
	goOn(w, query)
	return nil
}

// goOn has the browser ask again for what it wanted when it had to log in. The address is always of this service.
func goOn(w http.ResponseWriter, query string) {
	q, err := url.ParseQuery(query)
	if err != nil {
		q = url.Values{}
	}
	if q.Get("prompt") == "login" { // that is done
		q.Del("prompt")
	}
	q.Del("max_age")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", authorizePath+"?"+q.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

// postConsent takes what a person answers a client's wish.
func (s *Service) postConsent(w http.ResponseWriter, r *http.Request, c *endpoint.Call) error {
	a, err := s.parseAuthorization(r)
	if err != nil {
		return s.refuse(w, r, a, err)
	}
	if err := s.ownForm(r); err != nil {
		return s.refuse(w, r, nil, err)
	}
	login, err := s.login(r)
	if err != nil {
		return err
	}
	if login == nil {
		return s.showLogin(w, r, a, http.StatusOK, "", "")
	}
	account, err := s.account(r.Context(), login.Principal, login.PrincipalID)
	if err != nil {
		return err
	}
	if account == nil {
		return s.showLogin(w, r, a, http.StatusOK, "", "")
	}
	c.Account = account
	c.Params = map[string]any{"client_id": a.client.id, "scope": strings.Join(a.scopes, " "), "answer": printable(r.PostForm.Get("answer"))}
	if r.PostForm.Get("answer") != "allow" {
		return s.refuse(w, r, a, &refusal{"access_denied", "The person said no."})
	}
	if err := s.opt.Store.SetConsent(r.Context(), login.PrincipalID, a.client.id, a.scopes); err != nil {
		return err
	}
	return s.giveCode(w, r, a, login)
}

// postLogout ends a login.
func (s *Service) postLogout(w http.ResponseWriter, r *http.Request, _ *endpoint.Call) error {
	if err := s.ownForm(r); err != nil {
		return s.refuse(w, r, nil, err)
	}
	if value := s.readCookie(r, loginCookie); value != "" {
		if err := s.opt.Store.DeleteLogin(r.Context(), digestOf(value)); err != nil {
			return err
		}
	}
	http.SetCookie(w, s.cookie(r, loginCookie, "", -time.Second))
	return s.show(w, page{Status: http.StatusOK, Title: "Logged out", Template: "error", Message: "You are logged out on this browser."})
}

// logout shows who is logged in.
func (s *Service) logout(w http.ResponseWriter, r *http.Request, _ *endpoint.Call) error {
	l, err := s.login(r)
	if err != nil {
		return err
	}
	if l == nil {
		return s.show(w, page{Status: http.StatusOK, Title: "Log out", Template: "error", Message: "Nobody is logged in on this browser."})
	}
	return s.show(w, page{Status: http.StatusOK, Title: "Log out", Template: "logout", User: l.Principal, Form: s.formToken(w, r)})
}
