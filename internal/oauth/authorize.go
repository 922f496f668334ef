package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// authorization is what a client asks a person for, checked.
type authorization struct {
	client    *client
	redirect  string
	state     string
	scopes    []string
	challenge string
	nonce     string
	prompt    string
	maxAge    time.Duration // negative for any
	query     string        // all of it, to come back with
}

// refusal is an error that the client is told of, by way of the browser.
type refusal struct{ code, message string }

func (r *refusal) Error() string { return r.code + ": " + r.message }

// parseAuthorization reads what a client asks for. As long as it isn't certain which client that is and where it may be
// answered, errors are faults, for the person to see; after that they are refusals, for the client.
func (s *Service) parseAuthorization(r *http.Request) (*authorization, error) {
	const longestQuery = 8192
	if len(r.URL.RawQuery) > longestQuery {
		return nil, invalidRequest("The request is too long.")
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalidRequest("The address can't be read.")
	}
	if err := once(q); err != nil {
		return nil, err
	}
	c, err := s.client(r.Context(), q.Get("client_id"))
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, invalidRequest("The program that sent you here is not known: its client_id is " + printable(q.Get("client_id")) + ".")
	}
	if !c.redirectsTo(q.Get("redirect_uri")) {
		return nil, invalidRequest("The program that sent you here wants you to come back to an address that is not its own.")
	}
	a := &authorization{
		client: c, redirect: q.Get("redirect_uri"), state: q.Get("state"), challenge: q.Get("code_challenge"),
		nonce: q.Get("nonce"), prompt: q.Get("prompt"), maxAge: -1, query: r.URL.RawQuery,
	}
	return a, s.check(a, q)
}

// challengeForm is what a SHA-256 looks like.
func isChallenge(text string) bool {
	return regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`).MatchString(text)
}

// check is the part of which the client is told.
func (s *Service) check(a *authorization, q url.Values) error {
	switch {
	case q.Has("request") || q.Has("request_uri"):
		return &refusal{"request_not_supported", "Requests are not taken as objects."}
	case q.Get("response_type") != "code":
		return &refusal{"unsupported_response_type", "Only response_type=code is known."}
	case q.Has("response_mode") && q.Get("response_mode") != "query":
		return &refusal{"invalid_request", "Only response_mode=query is known."}
	case q.Get("code_challenge_method") != "S256" || !isChallenge(a.challenge):
		return &refusal{"invalid_request", "A code_challenge is needed, with code_challenge_method=S256."}
	case len(a.state) > maxParameter || len(a.nonce) > maxParameter:
		return &refusal{"invalid_request", "state or nonce is too long."}
	case !slices.Contains([]string{"", "none", "login", "consent"}, a.prompt):
		return &refusal{"invalid_request", "prompt may be none, login or consent."}
	}
	if q.Has("max_age") {
		seconds, err := strconv.Atoi(q.Get("max_age"))
		if err != nil || seconds < 0 {
			return &refusal{"invalid_request", "max_age is not a number of seconds."}
		}
		a.maxAge = time.Duration(seconds) * time.Second
	}
	var err error
	if a.scopes, err = s.scopesOf(q.Get("scope"), a.client); err != nil {
		return &refusal{"invalid_scope", fault.From(err).Message}
	}
	return nil
}

// authorize serves the authorization endpoint.
func (s *Service) authorize(w http.ResponseWriter, r *http.Request, c *endpoint.Call) error {
	a, err := s.parseAuthorization(r)
	if a != nil {
		c.Params = map[string]any{"client_id": a.client.id, "scope": strings.Join(a.scopes, " ")}
	}
	if err != nil {
		return s.refuse(w, r, a, err)
	}
	login, err := s.login(r)
	if err != nil {
		return err
	}
	fresh := login != nil && a.prompt != "login" && (a.maxAge < 0 || s.opt.Now().Sub(login.At) <= a.maxAge)
	if !fresh {
		if a.prompt == "none" {
			return s.refuse(w, r, a, &refusal{"login_required", "Nobody is logged in."})
		}
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
	asked, err := s.consented(r, a, login)
	if err != nil {
		return err
	}
	if !asked {
		if a.prompt == "none" {
			return s.refuse(w, r, a, &refusal{"consent_required", "The person has to be asked."})
		}
		return s.showConsent(w, r, a, login)
	}
	return s.giveCode(w, r, a, login)
}

// consented tells whether a person needs not be asked whether a client may act for them.
func (s *Service) consented(r *http.Request, a *authorization, login *Login) (bool, error) {
	if a.prompt == "consent" {
		return false, nil
	}
	if a.client.trusted {
		return true, nil
	}
	had, err := s.opt.Store.Consent(r.Context(), login.PrincipalID, a.client.id)
	return err == nil && len(had) > 0 && within(a.scopes, had), err
}

// giveCode sends the browser back to the client with a code.
func (s *Service) giveCode(w http.ResponseWriter, r *http.Request, a *authorization, login *Login) error {
	id, _ := newSecret("")
	code, digest := newSecret("")
	now := s.opt.Now()
	begun, err := s.opt.Store.AddCode(r.Context(), digest, Code{
		Login: login.Cookie,
		Session: Session{
			ID: id, ClientID: a.client.id, PrincipalID: login.PrincipalID, Principal: login.Principal, Scopes: a.scopes,
			LoginAt: login.At, ExpiresAt: now.Add(sessionLifetime),
		},
		RedirectURI: a.redirect, Challenge: a.challenge, Nonce: a.nonce, ExpiresAt: now.Add(codeLifetime),
	})
	if err != nil {
		return err
	}
	if !begun {
		return s.showLogin(w, r, a, http.StatusOK, "", "")
	}
	s.sendBack(w, r, a, url.Values{"code": {code}})
	return nil
}

// sendBack answers a client by way of the browser. The issuer is there so that a client of several knows which one it
// hears (RFC 9207).
func (s *Service) sendBack(w http.ResponseWriter, r *http.Request, a *authorization, answer url.Values) {
	answer.Set("iss", s.issuer(r))
	if a.state != "" {
		answer.Set("state", a.state)
	}
	sep := "?"
	if strings.Contains(a.redirect, "?") {
		sep = "&"
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Location", a.redirect+sep+answer.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

// refuse tells the client of a refusal, and the person of anything else.
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, a *authorization, err error) error {
	if said, ok := errors.AsType[*refusal](err); ok && a != nil {
		s.sendBack(w, r, a, url.Values{"error": {said.code}, "error_description": {said.message}})
		return nil
	}
	f := fault.From(err)
	if f.Kind >= fault.Internal {
		return err
	}
	return s.show(w, page{Status: int(f.Kind), Title: "This can't go on", Template: "error", Message: f.Message})
}
