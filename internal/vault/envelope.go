package vault

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/tink-crypto/tink-go/v2/aead"
)

// A sealed value is: the version of this form (1 byte), the root key's id (8), and Tink's envelope, which is the length of
// the wrapped data key (4), that key, and what it encrypts. The first nine bytes tell which values a root key wraps.
const (
	version   = 1
	headerLen = 1 + idLen
	lengthLen = 4
)

var errDamaged = errors.New("vault: the sealed value is damaged, or belongs to something else")

// Bind makes associated data of the parts that say whose and what a secret is, such as a purpose, a tenant, a name and a
// version. No two lists of parts make the same.
func Bind(parts ...string) []byte {
	var aad []byte
	for _, p := range parts {
		aad = binary.AppendUvarint(aad, uint64(len(p)))
		aad = append(aad, p...)
	}
	return aad
}

type envelope struct {
	root    ID
	wrapped []byte // the data key
	payload []byte // what the data key encrypts
	tink    []byte // both, as Tink has them
}

func parseEnvelope(sealed []byte) (envelope, error) {
	var e envelope
	if len(sealed) < headerLen+lengthLen || sealed[0] != version {
		return e, errDamaged
	}
	copy(e.root[:], sealed[1:])
	e.tink = sealed[headerLen:]
	n := uint64(binary.BigEndian.Uint32(e.tink))
	if n > uint64(len(e.tink))-lengthLen {
		return e, errDamaged
	}
	e.wrapped, e.payload = e.tink[lengthLen:lengthLen+n], e.tink[lengthLen+n:]
	return e, nil
}

// header is what the values that a root key wraps begin with.
func header(id ID) []byte { return append([]byte{version}, id[:]...) }

func seal(ctx context.Context, w wrapper, aad, plaintext []byte) ([]byte, error) {
	t, err := aead.NewKMSEnvelopeAEADWithContext(aead.AES256GCMKeyTemplate(), remote{w})
	if err != nil {
		return nil, err
	}
	sealed, err := t.EncryptWithContext(ctx, plaintext, aad)
	if err != nil {
		return nil, err
	}
	return append(header(w.id()), sealed...), nil
}

func (e envelope) open(ctx context.Context, w wrapper, aad []byte) ([]byte, error) {
	t, err := aead.NewKMSEnvelopeAEADWithContext(aead.AES256GCMKeyTemplate(), remote{w})
	if err != nil {
		return nil, err
	}
	plaintext, err := t.DecryptWithContext(ctx, e.tink, aad)
	if err != nil {
		return nil, errors.Join(errDamaged, err)
	}
	return plaintext, nil
}

// rewrap wraps the data key by another root key. What it encrypts stays as it is.
func (e envelope) rewrap(ctx context.Context, from, to wrapper) ([]byte, error) {
	key, err := from.unwrap(ctx, e.wrapped)
	if err != nil {
		return nil, errors.Join(errDamaged, err)
	}
	defer clear(key)
	wrapped, err := to.wrap(ctx, key)
	if err != nil {
		return nil, err
	}
	out := header(to.id())
	out = binary.BigEndian.AppendUint32(out, uint32(len(wrapped))) //nolint:gosec // some hundred bytes
	out = append(out, wrapped...)
	return append(out, e.payload...), nil
}

// remote is a root key as Tink wants it.
type remote struct{ wrapper }

// EncryptWithContext implements tink.AEADWithContext.
func (r remote) EncryptWithContext(ctx context.Context, key, _ []byte) ([]byte, error) {
	return r.wrap(ctx, key)
}

// DecryptWithContext implements tink.AEADWithContext.
func (r remote) DecryptWithContext(ctx context.Context, wrapped, _ []byte) ([]byte, error) {
	return r.unwrap(ctx, wrapped)
}
