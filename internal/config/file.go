package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const maxImports = 20 // of files inside of each other

// fileLoader evaluates configuration files.
type fileLoader struct {
	readFile func(string) ([]byte, error)
	env      map[string]string
	values   map[string]value // by full key
	depth    int
}

// loadFile reads a configuration file, and those that it imports.
func loadFile(path string, env map[string]string) (map[string]value, error) {
	l := &fileLoader{readFile: os.ReadFile, env: env, values: make(map[string]value)}
	return l.values, l.load(path, "")
}

func (l *fileLoader) load(path, prefix string) error {
	if l.depth++; l.depth > maxImports {
		return fmt.Errorf("%s: too many imports inside of each other", path)
	}
	defer func() { l.depth-- }()
	content, err := l.readFile(path)
	if err != nil {
		return err
	}
	directives, err := parseSyntax(string(content))
	if err == nil {
		err = l.apply(directives, path, prefix)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// apply evaluates directives of a file, of which the keys begin with prefix.
func (l *fileLoader) apply(directives []directive, path, prefix string) error {
	for _, d := range directives {
		var err error
		switch d.kind {
		case bind:
			err = l.bind(prefix, d.key, d.value)
		case group:
			err = l.apply(d.group, path, prefix+d.key+".")
		case include:
			file := d.file
			if !filepath.IsAbs(file) {
				file = filepath.Join(filepath.Dir(path), file)
			}
			err = l.load(file, prefix)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *fileLoader) bind(prefix, key string, v value) error {
	if v.kind == text {
		s, err := l.interpolate(prefix, v.text)
		if err != nil {
			return fmt.Errorf("%s: %w", prefix+key, err)
		}
		v.text = s
	}
	l.values[prefix+key] = v
	return nil
}

// interpolate replaces $(name) by the value of a setting above, or else of an environment variable, and $$ by $.
func (l *fileLoader) interpolate(prefix, s string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "$")
		b.WriteString(before)
		switch {
		case !found:
			return b.String(), nil
		case strings.HasPrefix(rest, "$"):
			b.WriteByte('$')
			s = rest[1:]
			continue
		}
		name, after, ok := strings.Cut(strings.TrimPrefix(rest, "("), ")")
		if !ok || !strings.HasPrefix(rest, "(") || name == "" {
			return "", fmt.Errorf("after $ comes neither (name) nor another $")
		}
		v, err := l.lookup(prefix, name)
		if err != nil {
			return "", err
		}
		b.WriteString(v)
		s = after
	}
}

// lookup finds a name in the innermost group that has it, or else in the environment.
func (l *fileLoader) lookup(prefix, name string) (string, error) {
	for {
		if v, ok := l.values[prefix+name]; ok {
			return interpolated(name, v)
		}
		if prefix == "" {
			break
		}
		prefix = prefix[:strings.LastIndexByte(strings.TrimSuffix(prefix, "."), '.')+1]
	}
	if v, ok := l.env[name]; ok {
		return v, nil
	}
	return "", fmt.Errorf("no such variable: '%s'", name)
}

func interpolated(name string, v value) (string, error) {
	switch v.kind {
	case text:
		return v.text, nil
	case number:
		if n, ok := v.asInteger(); ok {
			return strconv.FormatInt(n, 10), nil
		}
		return showNumber(v.text), nil
	case boolean, list:
	}
	return "", fmt.Errorf("variable '%s' is not a string or number", name)
}
