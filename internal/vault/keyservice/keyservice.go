// Package keyservice connects to root keys that are in services outside: AWS KMS, Azure Key Vault, Google Cloud KMS, and
// the transit engine of HashiCorp Vault or OpenBao. It doesn't know what is sealed with them.
package keyservice

import (
	"context"

	"gocloud.dev/secrets"
	_ "gocloud.dev/secrets/awskms"        // awskms://
	_ "gocloud.dev/secrets/azurekeyvault" // azurekeyvault://
	_ "gocloud.dev/secrets/gcpkms"        // gcpkms://
	_ "gocloud.dev/secrets/hashivault"    // hashivault://

	"github.com/tarn-data/tarn/internal/vault"
)

// Open connects to the key at an address, such as awskms:///alias/tarn?region=eu-west-1. The services' own ways of finding
// credentials are heard: environment, files, and what the machine is.
func Open(ctx context.Context, address string) (vault.Keeper, error) {
	return secrets.OpenKeeper(ctx, address)
}
