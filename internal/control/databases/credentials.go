package databases

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tarn-data/tarn/internal/endpoint"
	"github.com/tarn-data/tarn/internal/fault"
)

// credentialLifetime is how long a credential is good.
const credentialLifetime = time.Hour

type credentialInput struct {
	Instances []string `json:"instance_names"`
	RequestID string   `json:"request_id"`
	Claims    []any    `json:"claims"`
}

type credential struct {
	Token   string `json:"token"`
	Expires string `json:"expiration_time"`
}

// endpointInput asks for a credential as the API of projects has it.
type endpointInput struct {
	Endpoint string `json:"endpoint"` // projects/…/branches/…/endpoints/…
	Claims   []any  `json:"claims"`
}

type endpointCredential struct {
	Token   string `json:"token"`
	Expires string `json:"expire_time"`
}

// endpointOf is the one endpoint that an instance has as a project.
const endpointOf = "/branches/production/endpoints/primary"

// generateEndpointCredential does the same for clients that know projects: an instance is one, by its name or its uid.
func (s *Service) generateEndpointCredential(ctx context.Context, in endpointInput) (*endpointCredential, error) {
	project, ok := strings.CutPrefix(in.Endpoint, "projects/")
	if !ok {
		return nil, endpoint.Invalid("The field endpoint must be projects/INSTANCE" + endpointOf + ".")
	}
	project, ok = strings.CutSuffix(project, endpointOf)
	if !ok {
		return nil, fault.New(fault.NotFound, "NOT_FOUND", "The endpoint '"+in.Endpoint+"' not found.").
			WithHint("A database instance is a project with one endpoint: projects/INSTANCE" + endpointOf + ".")
	}
	if known, err := s.Store.InstanceByUID(ctx, project); err != nil {
		return nil, err
	} else if known != nil {
		project = known.Name
	}
	made, err := s.generateCredential(ctx, credentialInput{Instances: []string{project}, Claims: in.Claims})
	if err != nil {
		return nil, err
	}
	return &endpointCredential{Token: made.Token, Expires: made.Expires}, nil
}

// generateCredential gives the caller's role a password for PostgreSQL, for an hour. A role has one at a time: a new one
// ends the one before.
func (s *Service) generateCredential(ctx context.Context, in credentialInput) (*credential, error) {
	if len(in.Claims) > 0 {
		return nil, endpoint.Invalid("Credentials have all rights of their role: claims can't be asked for.")
	}
	if len(in.Instances) == 0 {
		return nil, endpoint.Invalid("Missing required field: instance_names")
	}
	for _, name := range in.Instances {
		i, err := s.instance(ctx, name)
		if err != nil {
			return nil, err
		}
		if i.NativeLogin {
			return nil, endpoint.InvalidState("The roles of the instance '" + name + "' have passwords of their own: enable_pg_native_login is set.")
		}
	}
	conn, err := s.admin(ctx)
	if err != nil {
		return nil, err
	}
	defer closeConn(ctx, conn)
	role := endpoint.Caller(ctx).Name
	var login bool
	err = conn.QueryRow(ctx, "SELECT coalesce((SELECT rolcanlogin AND NOT rolsuper FROM pg_roles WHERE rolname = $1), false)", role).Scan(&login)
	if err != nil {
		return nil, err
	}
	if !login {
		return nil, endpoint.NotFound("You have no role that may log in to the database. An administrator makes it.")
	}
	token := rand.Text() + rand.Text()
	until := time.Now().Add(credentialLifetime).UTC().Truncate(time.Second)
	verifier, err := scram(token)
	if err != nil {
		return nil, err
	}
	// The server is told the verifier only, so that the password can't get into its log.
	_, err = conn.Exec(ctx, "ALTER ROLE "+pgx.Identifier{role}.Sanitize()+" PASSWORD '"+verifier+"' VALID UNTIL '"+until.Format(time.RFC3339)+"'")
	if err != nil {
		return nil, err
	}
	return &credential{Token: token, Expires: until.Format(time.RFC3339)}, nil
}

// scram is what PostgreSQL keeps of a password (RFC 5803).
func scram(password string) (string, error) {
	const rounds, size = 4096, 16
	salt := make([]byte, size)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, rounds, sha256.Size)
	if err != nil {
		return "", err
	}
	of := func(text string) []byte {
		mac := hmac.New(sha256.New, salted)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	stored := sha256.Sum256(of("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", rounds, b64(salt), b64(stored[:]), b64(of("Server Key"))), nil
}
