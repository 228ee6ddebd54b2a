package mappings

import (
	"embed"
	"io/fs"
)

//go:embed suppliers
var suppliers embed.FS

// Embedded returns the suppliers that come with the binary, one folder each. A directory on disk (os.DirFS) takes its place wherever an
// fs.FS is asked for.
func Embedded() fs.FS {
	sub, err := fs.Sub(suppliers, "suppliers")
	if err != nil {
		panic(err) // the embedded folder has a valid name
	}
	return sub
}
