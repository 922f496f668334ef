package apiclient_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/tarn-data/tarn/internal/apiclient"
	"github.com/tarn-data/tarn/internal/config"
)

func TestCallsAgainWhenAskedTo(t *testing.T) {
	calls := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls < 3 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, `{"got":`+string(body)+`,"as":"`+r.Header.Get("Authorization")+`"}`)
	}))
	defer srv.Close()
	c, err := apiclient.New(t.Context(), &config.Client{Host: srv.URL, Token: "dapi1"})
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		Got struct{ A int }
		As  string
	}
	if err := c.Do(t.Context(), http.MethodPost, "/x", map[string]int{"a": 1}, &out); err != nil || out.Got.A != 1 || out.As != "Bearer dapi1" {
		t.Error(out, err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error_code":"UNAUTHENTICATED","message":"Invalid Token"}`)
	}))
	defer srv.Close()
	c, err := apiclient.New(t.Context(), &config.Client{Host: srv.URL, Token: "dapi1"})
	if err != nil {
		t.Fatal(err)
	}
	failure, ok := errors.AsType[*apiclient.Error](c.Get(t.Context(), "/x", nil, nil))
	if !ok || failure.Code != "UNAUTHENTICATED" || failure.Hint() == "" || failure.Message != "Invalid Token" {
		t.Errorf("%+v", failure)
	}
}

func TestProfiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "deep", "profiles.json")
	token := &oauth2.Token{AccessToken: "access", RefreshToken: "refresh", Expiry: time.Now().Add(time.Hour)}
	for _, name := range []string{"one", "two"} {
		p := apiclient.Profile{Name: name, Host: "http://" + name + ".example", TokenURL: "http://" + name + ".example/token", Token: token}
		if err := (apiclient.Profiles{File: file}).Save(p); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	for _, c := range []struct{ host, profile, want string }{
		{"", "", "http://two.example"}, {"", "one", "http://one.example"}, {"http://one.example/", "", "http://one.example"},
		{"", "three", ""}, {"http://three.example", "", ""},
	} {
		client, err := apiclient.New(t.Context(), &config.Client{Host: c.host, Profile: c.profile, Profiles: file})
		if c.want == "" {
			if err == nil {
				t.Errorf("%+v: found one", c)
			}
			continue
		}
		if err != nil || client.Host() != c.want {
			t.Errorf("%+v: %v, %v", c, client, err)
		}
	}
}
