// Package sdk pins the Databricks SDK for Go, whose own integration tests are run against Tarn by make sdk-conformance.
package sdk

import (
	"testing"

	"github.com/databricks/databricks-sdk-go"
)

// TestPinned has the module keep the SDK.
func TestPinned(t *testing.T) {
	if _, err := databricks.NewWorkspaceClient(&databricks.Config{Host: "http://127.0.0.1", Token: "t", ConfigFile: "/dev/null"}); err != nil {
		t.Fatal(err)
	}
}
