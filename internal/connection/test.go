package connection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tarn-data/tarn/internal/fault"
	"github.com/tarn-data/tarn/internal/outbound"
	"github.com/tarn-data/tarn/internal/vault"
	"github.com/tarn-data/tarn/internal/workspace"
)

// The steps of a test.
const (
	stepCredentials = "credentials"
	stepToken       = "token"
	stepWarehouse   = "warehouse"
)

// Result is what a test found.
type Result struct {
	Connected bool
	Message   string
	Steps     []Step
}

// failedStep is the step that failed; empty for none.
func (r Result) failedStep() string {
	if n := len(r.Steps); n > 0 && r.Steps[n-1].Outcome == "failed" {
		return r.Steps[n-1].Name
	}
	return ""
}

// Step is one step of a test.
type Step struct {
	Name    string
	Outcome string // passed, failed or skipped
	Message string
	Took    time.Duration
}

// testTimeout is how long a test may take where nothing else is said; a warehouse that stands still needs a while to start.
const testTimeout = 50 * time.Second

// Test tries a connection: it gets a token with the credentials, then has the warehouse run a statement.
func (s *Service) Test(ctx context.Context, tenant, name string) (Result, error) {
	if ok, err := s.may(ctx, tenant); err != nil || !ok {
		return Result{}, orElse(err, notFound())
	}
	c, sealed, err := s.store.Connection(ctx, tenant, name)
	if c, err = found(c, err); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.testTimeout)
	defer cancel()
	t := &trial{service: s, connection: c}
	if err := t.run(ctx, sealed); err != nil {
		return Result{}, err
	}
	r := t.result()
	if err := s.store.RecordTest(context.WithoutCancel(ctx), c.ID, c.Version, r.Connected, r.Message); err != nil {
		return Result{}, err
	}
	return r, nil
}

// trial is a test on its way.
type trial struct {
	service    *Service
	connection *Connection
	steps      []Step
}

// run takes the steps until one fails. An error is of this server, not of the connection.
func (t *trial) run(ctx context.Context, sealed []byte) error {
	c := t.connection
	if sealed == nil {
		message := "No credentials are stored."
		if c.Status == Revoked {
			message = "The connection is revoked, and its credentials are gone."
		}
		t.steps = append(t.steps, Step{Name: stepCredentials, Outcome: "failed", Message: message})
		return nil
	}
	text, err := t.service.sealer.Open(ctx, c.binding(c.ClientID, c.Version), sealed)
	if err != nil {
		return fault.New(fault.Internal, "INTERNAL_ERROR", "The stored credentials can't be opened.").WithCause(err)
	}
	secret := vault.Secret(text)
	clear(text)
	t.steps = append(t.steps, Step{Name: stepCredentials, Outcome: "passed"})
	var token workspace.Token
	t.step(stepToken, func() (err error) {
		token, err = t.service.workspace.Token(ctx, c.WorkspaceURL, workspace.Credentials{ClientID: c.ClientID, Secret: secret})
		return err
	})
	if !t.passed() {
		return nil
	}
	t.step(stepWarehouse, func() error {
		return t.service.workspace.Run(ctx, c.WorkspaceURL, token.Access, c.WarehouseID, "SELECT 1")
	})
	return nil
}

func (t *trial) step(name string, do func() error) {
	start := t.service.now()
	err := do()
	st := Step{Name: name, Outcome: "passed", Took: t.service.now().Sub(start)}
	if _, none := errors.AsType[workspace.NoWarehousesError](err); none {
		st.Outcome, st.Message = "skipped", err.Error()
	} else if err != nil {
		st.Outcome, st.Message = "failed", t.why(name, err)
	}
	t.steps = append(t.steps, st)
}

// why says what went wrong in a way that helps who made the connection, and tells nothing of this machine's network.
func (t *trial) why(step string, err error) string {
	refused, isRefused := errors.AsType[*outbound.Error](err)
	answer, isAnswer := errors.AsType[*workspace.AnswerError](err)
	_, isEmpty := errors.AsType[workspace.EmptyTokenError](err)
	_, isStatement := errors.AsType[*workspace.StatementError](err)
	switch {
	case isRefused:
		return refused.Error()
	case isAnswer:
		return "the workspace answered with " + answer.Error()
	case isEmpty, isStatement:
		return err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	t.service.log.Info("test of a connection failed", "connection", t.connection.ID, "step", step, "error", err)
	return workspace.Reason(err)
}

func (t *trial) passed() bool { return t.steps[len(t.steps)-1].Outcome != "failed" }

func (t *trial) result() Result {
	last := t.steps[len(t.steps)-1]
	r := Result{Connected: t.passed(), Steps: t.steps, Message: "Connection successful"}
	switch {
	case !r.Connected:
		what := map[string]string{
			stepCredentials: "Unable to read the credentials",
			stepToken:       "Unable to get an OAuth token from the workspace",
			stepWarehouse:   "Unable to connect to SQL Warehouse",
		}[last.Name]
		r.Message = fmt.Sprintf("Connection failed: %s: %s", what, last.Message)
	case last.Outcome == "skipped":
		r.Message += ": the workspace gave a token; SELECT 1 was not tried, as " + last.Message
	}
	return r
}
