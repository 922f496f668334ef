package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tarn-data/tarn/internal/control/identity"
	"github.com/tarn-data/tarn/internal/fault"
)

// TestSecretsTakeAsLong counts what is done to find out whether a secret is good: it is the same whether the application is
// there or not, whether it has secrets, and whether one of them matches. So how long it takes tells nothing.
func TestSecretsTakeAsLong(t *testing.T) {
	s := newSite(t)
	secrets := identity.NewSecrets(s.state, s.state.Directory(time.Now))
	compared := 0
	secrets.Compared(&compared)
	made := func(name string, secretsOf int) (id string, good []string) {
		r := s.call(201, "POST", base+"ServicePrincipals", `{"displayName":"`+name+`"}`)
		account, err := s.state.Account(t.Context(), r.str("applicationId"))
		if err != nil {
			t.Fatal(err)
		}
		for range secretsOf {
			text, _, err := secrets.Make(t.Context(), account.ID, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			good = append(good, text)
		}
		return account.Name, good
	}
	bare, _ := made("bare", 0)
	one, oneGood := made("one", 1)
	five, fiveGood := made("five", 5)
	wrong := "dose" + strings.Repeat("0", 40)
	for _, c := range []struct {
		id, secret string
		good       bool
	}{
		{"00000000-0000-4000-8000-000000000000", wrong, false}, {"no such thing", wrong, false}, {"root", wrong, false},
		{bare, wrong, false}, {one, wrong, false}, {five, wrong, false}, {one, "", false}, {one, fiveGood[0], false},
		{one, oneGood[0], true}, {five, fiveGood[0], true}, {five, fiveGood[4], true}, {strings.ToUpper(five), fiveGood[2], true},
	} {
		compared = 0
		account, err := secrets.VerifySecret(t.Context(), c.id, c.secret)
		if c.good != (err == nil && account != nil) || err != nil && fault.From(err).Message != "The client or its secret is not known." {
			t.Error(c.id, account, err)
		}
		if compared != 5 {
			t.Errorf("%s: %d comparisons", c.id, compared)
		}
	}
}
