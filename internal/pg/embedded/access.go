package embedded

import (
	"fmt"
	"os/user"
	"path/filepath"
	"strings"
)

// identMap is the name of the map from users of the system to roles.
const identMap = "tarn"

// writeAccess writes who may log in how. Over the socket the kernel vouches for Tarn's own user, who becomes the roles
// that Tarn needs; everybody else gives a password. The superuser can't be had over TCP at all. Nobody is trusted.
func (l layout) writeAccess(roles []string) error {
	self, err := user.Current()
	if err != nil {
		return err
	}
	var hba, ident strings.Builder
	for _, text := range []*strings.Builder{&hba, &ident} {
		text.WriteString("# Written by Tarn at every start: changes are lost.\n")
	}
	for _, role := range roles {
		fmt.Fprintf(&hba, "local all %s peer map=%s\n", confQuote(role), identMap)
		for _, name := range compact(self.Username, "root") {
			fmt.Fprintf(&ident, "%s %s %s\n", identMap, confQuote(name), confQuote(role))
		}
	}
	fmt.Fprintf(&hba, "local all all scram-sha-256\n")
	fmt.Fprintf(&hba, "host all %s all reject\n", Superuser)
	fmt.Fprintf(&hba, "host all all %s/32 scram-sha-256\n", loopback)
	if err := l.account.WriteFile(filepath.Join(l.cluster, "pg_hba.conf"), []byte(hba.String())); err != nil {
		return err
	}
	return l.account.WriteFile(filepath.Join(l.cluster, "pg_ident.conf"), []byte(ident.String()))
}

// confQuote quotes a name for these files, where a quoted word has no special meaning.
func confQuote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func compact(a, b string) []string {
	if a == b {
		return []string{a}
	}
	return []string{a, b}
}
