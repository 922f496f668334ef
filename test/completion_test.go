package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCompletion has bash complete command lines.
func TestCompletion(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "state.tarn"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// What bash does when someone presses the tab key: it asks the command that `complete` has named.
	const press = `source <(tarn completion bash) && read -r _ _ command _ <<<"$(complete -p tarn)" &&
		COMP_LINE=$LINE COMP_POINT=${#LINE} eval "$command tarn '${LINE##* }'"`
	for _, c := range []struct {
		line string
		want []string
		not  string
	}{
		{"tarn ", []string{"audit", "backup", "restore", "serve", "token"}, "tail"},
		{"tarn au", []string{"audit"}, "backup"},
		{"tarn audit ", []string{"tail", "list", "export", "verify"}, "serve"},
		{"tarn audit list --out", []string{"--outcome"}, "--user"},
		{"tarn audit list --outcome ", []string{"success", "failure"}, "--user"},
		{"tarn serve --audit-data-api ", []string{"all", "writes", "off"}, ""},
		{"tarn restore ", []string{"state.tarn"}, ""},
	} {
		cmd := exec.Command("bash", "-c", press)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "LINE="+c.line, "PATH="+filepath.Dir(path)+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		got := strings.Fields(strings.ReplaceAll(string(out), "./", ""))
		for _, w := range c.want {
			if !slices.Contains(got, w) {
				t.Errorf("%q: %v %s lacks %s", c.line, err, out, w)
			}
		}
		if slices.Contains(got, c.not) {
			t.Errorf("%q: %s", c.line, out)
		}
	}
}
