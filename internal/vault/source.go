package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// Source is a place where root keys are.
type Source interface {
	// first returns the key to begin with, and what undoes its making.
	first(ctx context.Context) (w wrapper, undo func() error, err error)
	// find returns the key with an id; nil if it isn't here.
	find(ctx context.Context, id ID) (wrapper, error)
	// newest returns the key to go on with after those that the state knows; nil if there is none.
	newest(ctx context.Context, known func(ID) bool) (wrapper, error)
}

// Keeper is a key in an outside service, which encrypts and decrypts there.
type Keeper interface {
	Encrypt(ctx context.Context, plaintext []byte) ([]byte, error)
	Decrypt(ctx context.Context, ciphertext []byte) ([]byte, error)
}

// SourceOptions say where what is named is found.
type SourceOptions struct {
	Dir        string                                                    // of the key files that Tarn makes
	Env        func(name string) string                                  // reads the environment
	OpenKeeper func(ctx context.Context, address string) (Keeper, error) // connects to a key service
}

// ParseSources reads the names of sources: dir for files in Tarn's own directory, file:PATH and env:NAME for one key in
// base64, and anything else that has a scheme for the address of a key in an outside service.
func ParseSources(names []string, opt SourceOptions) ([]Source, error) {
	if len(names) == 0 {
		names = []string{"dir"}
	}
	var out []Source
	for _, name := range names {
		scheme, rest, ok := strings.Cut(name, ":")
		switch {
		case name == "dir":
			out = append(out, keyDir(opt.Dir))
		case ok && scheme == "file" && rest != "":
			out = append(out, single{func() (wrapper, error) { return readKeyFile(strings.TrimPrefix(rest, "//")) }})
		case ok && scheme == "env" && rest != "":
			out = append(out, single{func() (wrapper, error) {
				text := opt.Env(rest)
				if text == "" {
					return nil, fmt.Errorf("the environment variable %s, which a root key is said to be in, is empty", rest)
				}
				return parseLocalKey(text, "the environment variable "+rest)
			}})
		case ok && strings.HasPrefix(rest, "//"):
			out = append(out, &service{address: name, open: opt.OpenKeeper})
		default:
			return nil, fmt.Errorf("%q names no root key: it must be dir, file:PATH, env:NAME, or the address of a key in a key service", name)
		}
	}
	return out, nil
}

func readKeyFile(path string) (wrapper, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	defer clear(text)
	return parseLocalKey(string(text), "the file "+path)
}

// single is a source of one key, which others make.
type single struct {
	open func() (wrapper, error)
}

func (s single) first(_ context.Context) (wrapper, func() error, error) {
	w, err := s.open()
	return w, func() error { return nil }, err
}

func (s single) find(_ context.Context, id ID) (wrapper, error) {
	w, err := s.open()
	if err != nil || w.id() != id {
		return nil, err
	}
	return w, nil
}

func (s single) newest(_ context.Context, known func(ID) bool) (wrapper, error) {
	w, err := s.open()
	if err != nil || known(w.id()) {
		return nil, err
	}
	return w, nil
}

// service is a source of one key, which is in an outside service. It connects when the key is first needed.
type service struct {
	address string
	open    func(ctx context.Context, address string) (Keeper, error)

	mu  sync.Mutex
	key wrapper
}

func (s *service) wrapper(ctx context.Context) (wrapper, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key == nil {
		keeper, err := s.open(ctx, s.address)
		if err != nil {
			return nil, fmt.Errorf("root key %s: %w", s.address, err)
		}
		s.key = serviceKey{s.address, keeper}
	}
	return s.key, nil
}

func (s *service) first(ctx context.Context) (wrapper, func() error, error) {
	w, err := s.wrapper(ctx)
	return w, func() error { return nil }, err
}

func (s *service) find(ctx context.Context, id ID) (wrapper, error) {
	if newID(s.address) != id {
		return nil, nil //nolint:nilnil // as the interface has it
	}
	return s.wrapper(ctx)
}

func (s *service) newest(ctx context.Context, known func(ID) bool) (wrapper, error) {
	if known(newID(s.address)) {
		return nil, nil //nolint:nilnil // as the interface has it
	}
	return s.wrapper(ctx)
}

// serviceKey is a root key that never leaves its service.
type serviceKey struct {
	address string
	keeper  Keeper
}

func (k serviceKey) id() ID         { return newID(k.address) }
func (k serviceKey) String() string { return k.address }

func (k serviceKey) wrap(ctx context.Context, key []byte) ([]byte, error) {
	return k.keeper.Encrypt(ctx, key)
}

func (k serviceKey) unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	return k.keeper.Decrypt(ctx, wrapped)
}

func isNotThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }
