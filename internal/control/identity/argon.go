package identity

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost is what argon2id takes to compute.
type Cost struct {
	Memory  uint32 // KiB
	Passes  uint32
	Threads uint8
}

// DefaultCost is the cost of new hashes.
func DefaultCost() Cost { return Cost{Memory: 19 * 1024, Passes: 2, Threads: 1} }

const (
	saltLength = 16
	keyLength  = 32
	// What a hash that is read may cost at most, whoever wrote it.
	maxMemory  = 1 << 20
	maxPasses  = 64
	maxThreads = 16
)

// hash is a hash in parts.
type hash struct {
	Cost
	salt, key []byte
}

// hashPassword renders a new hash of a password, in the PHC format.
func hashPassword(password string, c Cost) string {
	salt := make([]byte, saltLength)
	_, _ = rand.Read(salt) // never fails
	key := argon2.IDKey([]byte(password), salt, c.Passes, c.Memory, c.Threads, keyLength)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.Memory, c.Passes, c.Threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

// parseHash reads a hash in the PHC format.
func parseHash(text string) (hash, error) {
	var h hash
	bad := errors.New("not an argon2id hash")
	part := strings.Split(text, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, bad
	}
	if n, err := fmt.Sscanf(part[3]+" ", "m=%d,t=%d,p=%d ", &h.Memory, &h.Passes, &h.Threads); err != nil || n != 3 {
		return h, bad
	}
	if h.Memory == 0 || h.Memory > maxMemory || h.Passes == 0 || h.Passes > maxPasses || h.Threads == 0 || h.Threads > maxThreads {
		return h, bad
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.DecodeString(part[4]); err != nil {
		return h, bad
	}
	if h.key, err = base64.RawStdEncoding.DecodeString(part[5]); err != nil || len(h.key) < keyLength/2 {
		return h, bad
	}
	return h, nil
}

// matches tells whether a password is the one that was hashed. How long it takes doesn't tell how nearly it is.
func (h hash) matches(password string) bool {
	key := argon2.IDKey([]byte(password), h.salt, h.Passes, h.Memory, h.Threads, uint32(len(h.key))) //nolint:gosec // a key is short
	return subtle.ConstantTimeCompare(key, h.key) == 1
}

// weaker tells whether a hash costs less than new ones do.
func (h hash) weaker(c Cost) bool {
	return h.Memory < c.Memory || h.Passes < c.Passes || len(h.key) < keyLength
}
