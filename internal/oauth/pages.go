package oauth

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

//go:embed pages.html
var pagesSource string

//go:embed style.css
var style string

// page is what a person sees.
type page struct {
	Status   int
	Title    string
	Template string
	Message  string // empty for none
	Client   string
	Local    bool // the client runs on the person's own machine
	User     string
	Scopes   []string
	Form     string // proves that the page is this service's
	Query    template.URL
	Other    string // name of another provider to log in with; empty for none
	Back     string // where the client is, which a form may lead to
}

func (s *Service) parsePages() error {
	sum := sha256.Sum256([]byte(style))
	s.styleSum = base64.StdEncoding.EncodeToString(sum[:])
	t, err := template.New("").Funcs(template.FuncMap{
		"style": func() template.HTML { return template.HTML("<style>" + style + "</style>") },
	}).Parse(pagesSource)
	s.pages = t
	return err
}

// show writes a page that runs no script, shows nothing of others, is shown in nobody's frame and leads nowhere else.
func (s *Service) show(w http.ResponseWriter, p page) error {
	var text bytes.Buffer
	if err := s.pages.ExecuteTemplate(&text, p.Template, p); err != nil {
		return err
	}
	action := "'self'"
	if p.Back != "" { // browsers hold where a form's answer leads against this, too
		action += " " + p.Back
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(text.Len()))
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+s.styleSum+"'; form-action "+action+
		"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(text.Bytes()) // the browser may be gone
	return nil
}

func (s *Service) showLogin(w http.ResponseWriter, r *http.Request, a *authorization, status int, user, message string) error {
	p := s.pageOf(w, r, a)
	p.Status, p.Title, p.Template, p.User, p.Message = status, "Log in", "login", user, message
	if s.opt.External != nil {
		p.Other = s.opt.External.Name()
	}
	return s.show(w, p)
}

func (s *Service) showConsent(w http.ResponseWriter, r *http.Request, a *authorization, login *Login) error {
	p := s.pageOf(w, r, a)
	p.Status, p.Title, p.Template, p.User, p.Scopes = http.StatusOK, "Allow access", "consent", login.Principal, a.scopes
	return s.show(w, p)
}

func (s *Service) pageOf(w http.ResponseWriter, r *http.Request, a *authorization) page {
	p := page{
		Client: a.client.name, Form: s.formToken(w, r),
		Query: template.URL(reencode(a.query)), // encoded anew
	}
	if u, err := url.Parse(a.redirect); err == nil && !strings.ContainsAny(u.Host, " ;,'\"") {
		p.Back, p.Local = u.Scheme+"://"+u.Host, loopback(u)
	}
	return p
}

// reencode writes a query so that nothing in it means something to a page.
func reencode(query string) string {
	q, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	return q.Encode()
}
