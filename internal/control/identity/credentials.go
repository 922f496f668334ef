package identity

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/tarn-data/tarn/internal/auth"
	"github.com/tarn-data/tarn/internal/endpoint"
)

type secretInput struct {
	AccountID string `path:"account_id" json:"-"`
	ID        string `path:"service_principal_id" json:"-"`
	SecretID  string `path:"secret_id" json:"-"`
	Lifetime  string `json:"lifetime"` // seconds, such as 3600s
	PageSize  int    `query:"page_size"`
	PageToken string `query:"page_token"`
}

// secretInfo is what may be known of a secret.
type secretInfo struct {
	ID         string `json:"id"`
	SecretHash string `json:"secret_hash"`
	Status     string `json:"status"`
	CreateTime string `json:"create_time"`
	UpdateTime string `json:"update_time"`
	ExpireTime string `json:"expire_time"`
	LastUsed   string `json:"last_used_time,omitempty"`
}

type newSecretOutput struct {
	secretInfo
	Secret string `json:"secret"` // shown this once
}

type secretsOutput struct {
	Secrets       []secretInfo `json:"secrets"`
	NextPageToken string       `json:"next_page_token,omitempty"`
}

func (s *Service) createSecret(ctx context.Context, in secretInput) (newSecretOutput, error) {
	id, err := s.mayHandle(ctx, in)
	if err != nil {
		return newSecretOutput{}, err
	}
	lifetime := SecretLifetime
	if in.Lifetime != "" {
		seconds, err := strconv.ParseFloat(strings.TrimSuffix(in.Lifetime, "s"), 64)
		if err != nil || !strings.HasSuffix(in.Lifetime, "s") || !(seconds >= 1 && seconds <= SecretLifetime.Seconds()) { // nor NaN
			return newSecretOutput{}, endpoint.Invalid("The lifetime is a number of seconds such as 3600s, " +
				strconv.Itoa(int(SecretLifetime.Seconds())) + "s at most.")
		}
		lifetime = time.Duration(seconds * float64(time.Second))
	}
	text, made, err := s.Secrets.Make(ctx, id, lifetime)
	switch {
	case errors.Is(err, ErrMissing):
		return newSecretOutput{}, noServicePrincipal(in.ID)
	case errors.Is(err, ErrTooMany):
		return newSecretOutput{}, endpoint.LimitExceeded("A service principal has at most " + strconv.Itoa(secretsEach) + " secrets: delete one first.")
	case err != nil:
		return newSecretOutput{}, err
	}
	return newSecretOutput{infoOf(made, time.Now()), text}, nil
}

// listSecrets lists all: there are few.
func (s *Service) listSecrets(ctx context.Context, in secretInput) (secretsOutput, error) {
	out := secretsOutput{Secrets: []secretInfo{}}
	id, err := s.mayHandle(ctx, in)
	if err != nil {
		return out, err
	}
	if _, err := s.Store.Principal(ctx, auth.ServicePrincipal, id); err != nil {
		if errors.Is(err, ErrMissing) {
			return out, noServicePrincipal(in.ID)
		}
		return out, err
	}
	all, err := s.Secrets.store.Secrets(ctx, id)
	for i := range all {
		out.Secrets = append(out.Secrets, infoOf(&all[i], time.Now()))
	}
	return out, err
}

func (s *Service) deleteSecret(ctx context.Context, in secretInput) (endpoint.None, error) {
	id, err := s.mayHandle(ctx, in)
	if err != nil {
		return endpoint.None{}, err
	}
	if err = ErrMissing; good(in.SecretID, maxName) {
		err = s.Secrets.store.DeleteSecret(ctx, id, in.SecretID)
	}
	if errors.Is(err, ErrMissing) {
		return endpoint.None{}, endpoint.NotFound("The service principal has no secret of the id " + in.SecretID + ".")
	}
	return endpoint.None{}, err
}

// mayHandle tells whose secrets a call is about. A service principal may replace its own.
func (s *Service) mayHandle(ctx context.Context, in secretInput) (int64, error) {
	if s.inAccount(in.AccountID) != nil {
		return 0, endpoint.NotFound("Account " + in.AccountID + " not found.")
	}
	id, err := strconv.ParseInt(in.ID, 10, 64)
	if err != nil || id <= 0 {
		return 0, noServicePrincipal(in.ID)
	}
	if caller := endpoint.Caller(ctx); !caller.Admin && caller.ID != id {
		return 0, endpoint.Denied("Only administrators may do this.")
	}
	return id, nil
}

func noServicePrincipal(id string) error {
	return endpoint.NotFound("Service principal " + id + " does not exist.")
}

func infoOf(s *Secret, now time.Time) secretInfo {
	info := secretInfo{
		ID: s.ID, SecretHash: hex.EncodeToString(s.Hash), Status: "ACTIVE",
		CreateTime: stamp(s.CreatedAt), UpdateTime: stamp(s.UpdatedAt), ExpireTime: stamp(s.ExpiresAt),
	}
	if !now.Before(s.ExpiresAt) {
		info.Status = "EXPIRED"
	}
	if !s.LastUsed.IsZero() {
		info.LastUsed = stamp(s.LastUsed)
	}
	return info
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

type passwordInput struct {
	ID          string `path:"id" json:"-"` // a number, or me
	Password    string `json:"password" audit:"-"`
	OldPassword string `json:"old_password" audit:"-"`
}

// setPassword sets a user's password. Who isn't an administrator sets their own, if they know the old one.
func (s *Service) setPassword(ctx context.Context, in passwordInput) (endpoint.None, error) {
	caller := endpoint.Caller(ctx)
	id, err := strconv.ParseInt(in.ID, 10, 64)
	if in.ID == "me" {
		id, err = caller.ID, nil
	}
	if err != nil {
		return endpoint.None{}, endpoint.NotFound("User with id " + in.ID + " not found.")
	}
	if !caller.Admin {
		if id != caller.ID {
			return endpoint.None{}, endpoint.Denied("Only administrators may set the passwords of others.")
		}
		if _, err := s.Passwords.VerifyPassword(ctx, caller.Name, in.OldPassword); err != nil {
			return endpoint.None{}, err
		}
	}
	if _, err := s.Store.Principal(ctx, auth.User, id); err != nil {
		if errors.Is(err, ErrMissing) {
			err = endpoint.NotFound("User with id " + in.ID + " not found.")
		}
		return endpoint.None{}, err
	}
	return endpoint.None{}, s.Passwords.Set(ctx, id, in.Password)
}
