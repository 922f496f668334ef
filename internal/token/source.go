package token

import "time"

// Source finds the keys that may have signed a token: Keys, Keyring, Issuers, or Sources of them.
type Source interface {
	// candidates returns the keys that may have signed the token, which says that it is of this issuer. Errors are
	// faults.
	candidates(c *compact, issuer string) ([]candidate, error)
	// generation changes when a key is no longer trusted.
	generation() uint64
}

// candidate is a key that may have signed a token, and what holds for the token if it has.
type candidate struct {
	key      *key
	audience string    // that the token has to be for; empty for any
	own      bool      // Tarn signed it
	until    time.Time // the key is known to be good until then; zero for ever
}

// Sources is a source made of others.
type Sources []Source

func (s Sources) candidates(c *compact, issuer string) ([]candidate, error) {
	var all []candidate
	for _, source := range s {
		found, err := source.candidates(c, issuer)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func (s Sources) generation() uint64 {
	var sum uint64 // none of them ever gets less
	for _, source := range s {
		sum += source.generation()
	}
	return sum
}
