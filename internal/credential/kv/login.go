package kv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/vault/api"
)

// Login is a way to log in.
type Login interface {
	login(ctx context.Context, c *api.Client) (*api.Secret, error)
}

// serviceAccountToken is where Kubernetes puts the token of a pod's service account.
const serviceAccountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// ParseLogin reads how to log in: token:FILE, approle:ROLE-ID:SECRET-ID-FILE or kubernetes:ROLE[:TOKEN-FILE]. Secrets are in
// files, which are read at each login. After an @ comes where the method is mounted, if it isn't at its usual place.
func ParseLogin(text string) (Login, error) {
	text, mount, _ := strings.Cut(text, "@")
	kind, rest, _ := strings.Cut(text, ":")
	if mount == "" {
		mount = kind
	}
	switch kind {
	case "token":
		if rest != "" {
			return tokenFile(rest), nil
		}
	case "approle":
		if role, file, ok := strings.Cut(rest, ":"); ok && role != "" && file != "" {
			return appRole{mount, role, file}, nil
		}
	case "kubernetes":
		role, file, given := strings.Cut(rest, ":")
		if !given {
			file = serviceAccountToken
		}
		if role != "" && file != "" {
			return kubernetes{mount, role, file}, nil
		}
	}
	return nil, fmt.Errorf("%q is no way to log in: it must be token:FILE, approle:ROLE-ID:SECRET-ID-FILE or kubernetes:ROLE[:TOKEN-FILE], with @MOUNT at its end if need be", text)
}

func readSecret(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if s := strings.TrimSpace(string(text)); s != "" {
		return s, nil
	}
	return "", errors.New(file + " is empty")
}

// tokenFile is a file with a token, which somebody else may keep fresh.
type tokenFile string

func (f tokenFile) login(ctx context.Context, c *api.Client) (*api.Secret, error) {
	token, err := readSecret(string(f))
	if err != nil {
		return nil, err
	}
	c.SetToken(token)
	known, err := c.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return nil, err
	}
	ttl, err := known.TokenTTL()
	if err != nil {
		return nil, err
	}
	renewable, err := known.TokenIsRenewable()
	if err != nil {
		return nil, err
	}
	return &api.Secret{Auth: &api.SecretAuth{ClientToken: token, Renewable: renewable, LeaseDuration: int(ttl.Seconds())}}, nil
}

type appRole struct{ mount, role, file string }

func (a appRole) login(ctx context.Context, c *api.Client) (*api.Secret, error) {
	secret, err := readSecret(a.file)
	if err != nil {
		return nil, err
	}
	return write(ctx, c, a.mount, map[string]any{"role_id": a.role, "secret_id": secret})
}

type kubernetes struct{ mount, role, file string }

func (k kubernetes) login(ctx context.Context, c *api.Client) (*api.Secret, error) {
	jwt, err := readSecret(k.file)
	if err != nil {
		return nil, err
	}
	return write(ctx, c, k.mount, map[string]any{"role": k.role, "jwt": jwt})
}

func write(ctx context.Context, c *api.Client, mount string, data map[string]any) (*api.Secret, error) {
	c.ClearToken()
	out, err := c.Logical().WriteWithContext(ctx, "auth/"+mount+"/login", data)
	if err == nil && (out == nil || out.Auth == nil || out.Auth.ClientToken == "") {
		err = errors.New("the answer has no token")
	}
	return out, err
}
