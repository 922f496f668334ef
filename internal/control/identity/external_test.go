package identity_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/control/identity"
	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/oauth"
)

const provider = "https://login.example.com"

func (s *site) external(change func(*identity.ExternalOptions)) *identity.External {
	s.t.Helper()
	opt := identity.ExternalOptions{
		Store: s.state, Directory: s.state.Directory(time.Now), Users: &identity.Service{Store: s.state, Roles: s.roles}, Link: identity.LinkFirst,
	}
	if change != nil {
		change(&opt)
	}
	e, err := identity.NewExternal(opt)
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

func person(subject, email string) auth.Person {
	return auth.Person{Issuer: provider, Subject: subject, Email: email, Name: "Some One"}
}

func denied(err error) bool { return err != nil && fault.From(err).Kind == fault.Denied }

func TestExternalLinks(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"ann@example.com", "bob@example.com"} {
		s.user(name)
	}
	never := s.external(func(o *identity.ExternalOptions) { o.Link = identity.LinkNever })
	first, email := s.external(nil), s.external(func(o *identity.ExternalOptions) { o.Link = identity.LinkEmail })
	// Each line goes on from what those before left.
	for i, step := range []struct {
		with *identity.External
		who  auth.Person
		is   string // empty if it isn't let in
	}{
		{never, person("1", "ann@example.com"), ""},
		{first, person("1", "nobody@example.com"), ""},
		{first, person("1", "Ann@Example.com"), "ann@example.com"},
		{never, person("1", "ann@example.com"), "ann@example.com"},         // who became a user stays it
		{first, person("1", "ann.married@example.com"), "ann@example.com"}, // also with another address
		{first, person("1", "bob@example.com"), "ann@example.com"},
		{first, person("2", "ann@example.com"), ""}, // the address went to somebody else
		{first, auth.Person{Issuer: "https://other.example.com", Subject: "1", Email: "ann@example.com"}, ""},
		{first, person("2", "bob@example.com"), "bob@example.com"},
		{email, person("3", "ann@example.com"), "ann@example.com"},
		{first, person("1", "ann@example.com"), ""}, // who had it before
		{first, person("4", "root"), "root"},
	} {
		account, made, err := step.with.Admit(t.Context(), step.who)
		switch {
		case made:
			t.Error(i, "a user was made")
		case step.is == "" && !denied(err):
			t.Error(i, step.who, "became", account, err)
		case step.is != "" && (err != nil || account.Name != step.is):
			t.Error(i, step.who, "became", account, err)
		}
	}
}

func TestExternalCreates(t *testing.T) {
	s := newSite(t)
	creates := s.external(func(o *identity.ExternalOptions) {
		o.Create, o.Groups, o.Entitlements = true, []string{"Analysts", "users"}, []string{"allow-cluster-create"}
	})
	if _, _, err := creates.Admit(t.Context(), person("1", "ann@example.com")); fault.From(err).Kind != fault.Unavailable {
		t.Error("a group is missing:", err)
	}
	s.group("analysts")
	// They come several times at once, and are one user.
	var wg sync.WaitGroup
	ids := make([]int64, 4)
	for i := range ids {
		wg.Go(func() {
			account, _, err := creates.Admit(context.WithoutCancel(t.Context()), person("1", "ann@example.com"))
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = account.ID
		})
	}
	wg.Wait()
	if len(slices.Compact(slices.Sorted(slices.Values(ids)))) != 1 {
		t.Error(ids)
	}
	account, made, err := creates.Admit(t.Context(), person("1", "ann@example.com"))
	if err != nil || made || account.DisplayName != "Some One" || !account.In("analysts") || account.Admin || !slices.Contains(account.Entitlements, "allow-cluster-create") {
		t.Error(account, made, err)
	}
	if !slices.Equal(s.roles.made, []string{"ann@example.com"}) {
		t.Error("roles:", s.roles.made)
	}
	// Without a role there is no user, nor a link to one.
	s.roles.fail = errors.New("no role")
	if _, _, err := creates.Admit(t.Context(), person("2", "bob@example.com")); err == nil || denied(err) {
		t.Error(err)
	}
	s.roles.fail = nil
	if _, made, err := creates.Admit(t.Context(), person("2", "bob@example.com")); !made || err != nil {
		t.Error(made, err)
	}
	for _, bad := range []string{"@example.com\n", strings.Repeat("x", 300) + "@example.com"} {
		if _, _, err := creates.Admit(t.Context(), person("3", bad)); fault.From(err).Kind != fault.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, opt := range []identity.ExternalOptions{{Groups: []string{"Admins"}}, {Entitlements: []string{"everything"}}} {
		if _, err := identity.NewExternal(opt); err == nil {
			t.Error("nobody should get", opt)
		}
	}
}

// login has a user log in in a browser, let a client act for them, and the client ask for a token.
func (s *site) login(name string, seed byte) (ended func() []bool) {
	s.t.Helper()
	ctx := s.t.Context()
	account, err := s.state.Account(ctx, name)
	if err != nil || account == nil {
		s.t.Fatal(account, err)
	}
	must := func(ok bool, err error) {
		s.t.Helper()
		if err != nil || !ok {
			s.t.Fatal(ok, err)
		}
	}
	cookie, code, used, refresh := oauth.Digest{seed, 1}, oauth.Digest{seed, 2}, oauth.Digest{seed, 3}, oauth.Digest{seed, 4}
	now := time.Now()
	must(true, s.state.AddLogin(ctx, oauth.Login{Cookie: cookie, PrincipalID: account.ID, Principal: name, At: now}, time.Hour))
	session := func(id string) oauth.Code {
		return oauth.Code{Login: cookie, ExpiresAt: now.Add(time.Hour), Session: oauth.Session{
			ID: fmt.Sprint(id, name, seed), ClientID: "c", PrincipalID: account.ID, Principal: name, Scopes: []string{"all-apis"}, LoginAt: now, ExpiresAt: now.Add(time.Hour),
		}}
	}
	must(s.state.AddCode(ctx, code, session("open")))
	must(s.state.AddCode(ctx, used, session("used")))
	taken, err := s.state.TakeCode(ctx, used)
	must(taken != nil, err)
	must(true, s.state.AddRefresh(ctx, refresh, fmt.Sprint("used", name, seed), now.Add(time.Hour)))
	return func() []bool {
		login, err := s.state.Login(ctx, cookie)
		must(true, err)
		open, err := s.state.TakeCode(ctx, code)
		must(true, err)
		token, _, err := s.state.Refresh(ctx, refresh)
		must(true, err)
		revoked, err := s.state.Revoked(ctx)
		must(true, err)
		_, gone := revoked[fmt.Sprint("used", name, seed)]
		more, err := s.state.AddCode(ctx, oauth.Digest{seed, 5}, session("late")) // by who had seen that the login is good
		must(true, err)
		return []bool{login == nil, open == nil, token == nil, gone, !more}
	}
}

// TestEndOfLogins holds that nothing is left of what followed from a user's logins.
func TestEndOfLogins(t *testing.T) {
	s := newSite(t)
	passwords, err := identity.NewPasswords(s.state, s.state.Directory(time.Now), identity.Cost{Passes: 1, Memory: 64, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	const old = "an old password"
	for i, way := range []struct {
		name string
		do   func(id string) error
		ends bool
	}{
		{"changed", func(string) error {
			a, err := s.state.Account(t.Context(), "changed")
			if err != nil {
				return err
			}
			return passwords.Set(t.Context(), a.ID, "a new password")
		}, true},
		{"deactivated", func(id string) error {
			s.call(200, "PATCH", base+"Users/"+id, `{"Operations":[{"op":"replace","path":"active","value":false}]}`)
			s.call(200, "PATCH", base+"Users/"+id, `{"Operations":[{"op":"replace","path":"active","value":true}]}`)
			return nil
		}, true},
		{"deleted", func(id string) error { s.call(204, "DELETE", base+"Users/"+id, ""); return nil }, true},
		{"renamed", func(id string) error {
			s.call(200, "PATCH", base+"Users/"+id, `{"Operations":[{"op":"replace","path":"displayName","value":"Other"}]}`)
			return nil
		}, false},
		{"replaced", func(string) error {
			take := s.external(func(o *identity.ExternalOptions) { o.Link = identity.LinkEmail })
			for _, subject := range []string{"1", "2"} {
				if _, _, err := take.Admit(t.Context(), person(subject, "replaced")); err != nil {
					return err
				}
			}
			return nil
		}, true},
		{"strengthened", func(string) error {
			stronger, err := identity.NewPasswords(s.state, s.state.Directory(time.Now), identity.Cost{Passes: 2, Memory: 64, Threads: 1})
			if err != nil {
				return err
			}
			if _, err := stronger.VerifyPassword(t.Context(), "strengthened", old); err != nil {
				return err
			}
			_, err = stronger.VerifyPassword(t.Context(), "strengthened", old)
			return err
		}, false},
	} {
		id := s.user(way.name)
		account, err := s.state.Account(t.Context(), way.name)
		if err != nil {
			t.Fatal(err)
		}
		if err := passwords.Set(t.Context(), account.ID, old); err != nil {
			t.Fatal(err)
		}
		ended := s.login(way.name, byte(i))
		bystander := s.login("root", 100+byte(i))
		if err := way.do(id); err != nil {
			t.Error(way.name, err)
		}
		over, others := ended(), bystander()
		for j, what := range []string{"the login", "a code", "a refresh token", "access tokens", "a code of that moment"} {
			if over[j] != way.ends {
				t.Errorf("%s: %s ended: %t", way.name, what, over[j])
			}
			if others[j] {
				t.Errorf("%s: %s of somebody else ended", way.name, what)
			}
		}
	}
}
