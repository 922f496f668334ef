// Package kv keeps credentials in the key-value store (version 2) of a HashiCorp Vault or OpenBao server: one secret a path,
// with the credentials' names as its keys. It logs in, renews its token, and tries again. It doesn't know who may manage
// credentials.
package kv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/tarn-data/tarn/internal/credential"
	"github.com/tarn-data/tarn/internal/vault"
)

// Options say where the server is and how to log in.
type Options struct {
	Address   string // of the server, with the mount and what paths begin with: https://vault.example.com:8200/secret/tarn
	Namespace string // empty for none
	CACert    string // file of certificates (PEM) that the server's is signed with; empty for the system's
	Login     Login
	Sleep     func(ctx context.Context, d time.Duration) error
	Log       *slog.Logger
}

const (
	timeout    = 20 * time.Second
	maxRetries = 3
	minWait    = 200 * time.Millisecond
	maxWait    = 2 * time.Second
	loginAgain = 5 * time.Second
	maxPuts    = 20 // attempts, when others change the same path
)

// Backend keeps credentials. It is safe for concurrent use.
type Backend struct {
	client *api.Client
	kv     *api.KVv2
	prefix string
	login  Login
	sleep  func(ctx context.Context, d time.Duration) error
	log    *slog.Logger

	mu       sync.Mutex
	loggedIn *api.Secret // nil before the first login
	changed  chan struct{}
}

// New makes a backend. It logs in when it is first used, or by Run.
func New(opt Options) (*Backend, error) {
	u, err := url.Parse(opt.Address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, errors.New("the address of the key-value store must be https://HOST/MOUNT/PREFIX")
	}
	mount, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if mount == "" || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("the address of the key-value store must name its mount: https://HOST/MOUNT/PREFIX")
	}
	cfg := api.DefaultConfig()
	if cfg.Error != nil {
		return nil, cfg.Error
	}
	cfg.Address, cfg.Timeout, cfg.MaxRetries = u.Scheme+"://"+u.Host, timeout, maxRetries
	cfg.MinRetryWait, cfg.MaxRetryWait, cfg.DisableRedirects = minWait, maxWait, true
	if opt.CACert != "" {
		if err := cfg.ConfigureTLS(&api.TLSConfig{CACert: opt.CACert}); err != nil {
			return nil, err
		}
	}
	client, err := api.NewClient(cfg)
	if err != nil {
		return nil, err
	}
	client.ClearToken() // one of the environment isn't meant
	if opt.Namespace != "" {
		client.SetNamespace(opt.Namespace)
	}
	return &Backend{
		client: client, kv: client.KVv2(mount), prefix: prefix, login: opt.Login, sleep: opt.Sleep, log: opt.Log, changed: make(chan struct{}, 1),
	}, nil
}

// Run keeps the token fresh until the context ends: it renews it, and logs in anew when it can't be renewed any more.
func (b *Backend) Run(ctx context.Context) {
	for ctx.Err() == nil {
		secret, err := b.ready(ctx)
		if err != nil {
			b.log.Warn("can't log in to the key-value store", "error", err)
			_ = b.sleep(ctx, loginAgain) // the loop ends with the context
			continue
		}
		b.renew(ctx, secret)
	}
}

// renew renews a token as long as that goes, then forgets it.
func (b *Backend) renew(ctx context.Context, secret *api.Secret) {
	if secret.Auth.LeaseDuration == 0 { // it is good for ever
		select {
		case <-ctx.Done():
		case <-b.changed:
		}
		return
	}
	w, err := b.client.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: secret})
	if err != nil {
		b.log.Warn("can't renew the token of the key-value store", "error", err)
		_ = b.sleep(ctx, loginAgain) // Run sees whether the context has ended
		return
	}
	go w.Start()
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.changed:
			return
		case <-w.RenewCh():
		case err := <-w.DoneCh():
			b.log.Info("logging in to the key-value store anew", "cause", err)
			b.forget(secret)
			return
		}
	}
}

// ready returns the token, and logs in if there is none.
func (b *Backend) ready(ctx context.Context) (*api.Secret, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.loggedIn != nil {
		return b.loggedIn, nil
	}
	secret, err := b.login.login(ctx, b.client)
	if err != nil {
		return nil, fmt.Errorf("log in to the key-value store: %w", err)
	}
	b.client.SetToken(secret.Auth.ClientToken)
	b.loggedIn = secret
	return secret, nil
}

// forget has the next use log in anew.
func (b *Backend) forget(secret *api.Secret) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.loggedIn != secret {
		return
	}
	b.loggedIn = nil
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// do does something with a token, and once more with a new one if the first is refused.
func (b *Backend) do(ctx context.Context, do func() error) error {
	for try := 0; ; try++ {
		secret, err := b.ready(ctx)
		if err != nil {
			return err
		}
		err = do()
		if try > 0 || !answered(err, http.StatusForbidden) {
			return err
		}
		b.forget(secret)
	}
}

func answered(err error, status int) bool {
	said, ok := errors.AsType[*api.ResponseError](err)
	return ok && said.StatusCode == status
}

func (b *Backend) path(at credential.Path) string {
	if at.Account == "" {
		return path.Join(b.prefix, "apps", at.App)
	}
	return path.Join(b.prefix, "accounts", at.Account, "apps", at.App)
}

// get returns what is at a path; nil if nothing is.
func (b *Backend) get(ctx context.Context, at credential.Path) (found *api.KVSecret, err error) {
	err = b.do(ctx, func() error {
		var err error
		found, err = b.kv.Get(ctx, b.path(at))
		return err
	})
	if errors.Is(err, api.ErrSecretNotFound) {
		return nil, nil //nolint:nilnil // as the comment says
	}
	return found, err
}

// Read implements credential.Reader.
func (b *Backend) Read(ctx context.Context, at credential.Path, names ...string) (map[string]vault.Secret, error) {
	found, err := b.get(ctx, at)
	if err != nil {
		return nil, err
	}
	if found == nil || len(found.Data) == 0 {
		return nil, credential.ErrNoPath
	}
	out := map[string]vault.Secret{}
	for _, name := range names {
		if text, ok := found.Data[name].(string); ok {
			out[name] = vault.Secret(text)
		}
	}
	return out, nil
}

// Put implements credential.Backend.
func (b *Backend) Put(ctx context.Context, at credential.Path, name string, value vault.Secret, _ string) (credential.Info, error) {
	made, err := b.change(ctx, at, func(data map[string]any) bool {
		data[name] = value.Reveal()
		return true
	})
	if err != nil {
		return credential.Info{}, err
	}
	return info(name, *made), nil
}

// change writes a path anew, such that nothing that another writes meanwhile is lost. It returns nil if nothing was to do.
func (b *Backend) change(ctx context.Context, at credential.Path, edit func(map[string]any) bool) (made *api.KVVersionMetadata, err error) {
	for range maxPuts {
		found, err := b.get(ctx, at)
		if err != nil {
			return nil, err
		}
		data, version := map[string]any{}, 0
		if found != nil {
			maps.Copy(data, found.Data)
			if found.VersionMetadata != nil {
				version = found.VersionMetadata.Version
			}
		}
		if !edit(data) {
			return nil, nil //nolint:nilnil // as the comment says
		}
		err = b.do(ctx, func() error {
			put, err := b.kv.Put(ctx, b.path(at), data, api.WithCheckAndSet(version))
			if err == nil {
				made = put.VersionMetadata
			}
			return err
		})
		if err == nil {
			return made, nil
		}
		if !answered(err, http.StatusBadRequest) || !strings.Contains(err.Error(), "check-and-set") {
			return nil, err
		}
		if err := b.sleep(ctx, minWait/10); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("others change the path all the time")
}

// List implements credential.Backend. The version is that of the path.
func (b *Backend) List(ctx context.Context, at credential.Path) ([]credential.Info, error) {
	found, err := b.get(ctx, at)
	if err != nil || found == nil {
		return nil, err
	}
	var out []credential.Info
	for _, name := range slices.Sorted(maps.Keys(found.Data)) {
		out = append(out, info(name, *found.VersionMetadata))
	}
	return out, nil
}

// Versions implements credential.Backend. They are those of the path.
func (b *Backend) Versions(ctx context.Context, at credential.Path, name string) (out []credential.Info, err error) {
	found, err := b.get(ctx, at)
	if err != nil || found == nil || found.Data[name] == nil {
		return nil, err
	}
	var all []api.KVVersionMetadata
	if err := b.do(ctx, func() error {
		all, err = b.kv.GetVersionsAsList(ctx, b.path(at))
		return err
	}); err != nil {
		return nil, err
	}
	for _, v := range slices.Backward(all) {
		if !v.Destroyed && v.DeletionTime.IsZero() {
			out = append(out, info(name, v))
		}
	}
	return out, nil
}

// Delete implements credential.Backend. Versions of the path that have the credential are destroyed.
func (b *Backend) Delete(ctx context.Context, at credential.Path, name string) (bool, error) {
	left := 0
	made, err := b.change(ctx, at, func(data map[string]any) bool {
		_, there := data[name]
		delete(data, name)
		left = len(data)
		return there
	})
	if err != nil || made == nil {
		return false, err
	}
	return true, b.do(ctx, func() error {
		if left == 0 {
			return b.kv.DeleteMetadata(ctx, b.path(at))
		}
		var before []int
		for v := 1; v < made.Version; v++ {
			before = append(before, v)
		}
		return b.kv.Destroy(ctx, b.path(at), before)
	})
}

func info(name string, v api.KVVersionMetadata) credential.Info {
	return credential.Info{Name: name, Version: int64(v.Version), MadeAt: v.CreatedTime}
}
