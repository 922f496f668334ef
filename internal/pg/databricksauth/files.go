// Package databricksauth provides the PostgreSQL extension databricks_auth: its files, and its installation on a server
// whose folders are out of reach. It knows nothing of the servers that read the files.
package databricksauth

import (
	"embed"
	"io/fs"
)

// Name is the name of the extension.
const Name = "databricks_auth"

//go:embed extension
var embedded embed.FS

// Files are the files that belong into the folder `extension` of a server's share folder.
func Files() fs.FS {
	files, err := fs.Sub(embedded, "extension")
	if err != nil {
		return embedded // can't be: the folder is part of the build
	}
	return files
}
