package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"sync"
)

// macs verify what is signed with a shared secret. They are kept, since to make one takes as long as to use it.
type macs struct{ sha256, sha384, sha512 sync.Pool } // of *mac

type mac struct {
	hash.Hash

	text, sum []byte
}

func (m *macs) verify(secret []byte, c *compact) bool {
	var pool *sync.Pool
	var newHash func() hash.Hash
	switch c.alg {
	case "HS256":
		pool, newHash = &m.sha256, sha256.New
	case "HS384":
		pool, newHash = &m.sha384, sha512.New384
	case "HS512":
		pool, newHash = &m.sha512, sha512.New
	default:
		return false
	}
	by, ok := pool.Get().(*mac)
	if !ok {
		by = &mac{Hash: hmac.New(newHash, secret)}
	}
	defer pool.Put(by)
	by.Reset()
	by.text = append(by.text[:0], c.signed...)
	_, _ = by.Write(by.text)
	by.sum = by.Sum(by.sum[:0])
	return len(secret) > 0 && hmac.Equal(by.sum, c.signature)
}
