package folder

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"signalbox/mesh/internal/durable"
)

// Names of the folders of the interface, and of our own for what is not finished. It lies beside them because a rename does not
// cross file systems.
const (
	inName     = "IN"
	outName    = "OUT"
	sentName   = "SENT"
	failedName = "FAILED"
	workName   = ".signalbox"
)

// disk does every change to the folders. step, when set, is asked before each and may refuse: tests kill the process there.
type disk struct{ step func(what string) error }

func (d disk) ask(what string) error {
	if d.step == nil {
		return nil
	}
	return d.step(what)
}

// write makes a file durable under its name, which nobody else looks at.
func (d disk) write(name string, r io.Reader) error {
	if err := d.ask("write"); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return durable.Nameless(err)
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = d.ask("sync")
	}
	if err == nil {
		err = durable.Nameless(f.Sync())
	}
	return errors.Join(err, durable.Nameless(f.Close()))
}

// rename puts a durable file in its place, and makes that durable.
func (d disk) rename(from, to string) error {
	if err := d.ask("rename"); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return durable.Nameless(err)
	}
	return errors.Join(durable.Dir(filepath.Dir(to)), durable.Dir(filepath.Dir(from)))
}

// remove takes a file away; one that is gone is no error.
func (d disk) remove(name string) error {
	if err := d.ask("remove"); err != nil {
		return err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return durable.Nameless(err)
	}
	return durable.Dir(filepath.Dir(name))
}

// publish writes content under temp and then renames it, so that nobody sees a part.
func (d disk) publish(temp, name string, content []byte) error {
	if err := d.write(temp, bytes.NewReader(content)); err != nil {
		return err
	}
	return d.rename(temp, name)
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// makeDirs makes the folders that are missing.
func makeDirs(dirs ...string) error {
	for _, d := range dirs {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return durable.Nameless(err)
		}
	}
	return nil
}

// safeName makes a file name of an id that came from outside: the id itself when it is harmless, as message ids are, else a digest.
func safeName(id string) string {
	plain := strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == "" && id != "" && len(id) <= 100
	if plain {
		return id
	}
	return digest([]byte(id))
}

// digest names something without telling it.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// pair is a control file in a folder and the payload beside it.
type pair struct {
	name     string // without the ending
	ctl, dat string // paths; dat is empty when there is none
	changed  time.Time
	newest   time.Time
	datState fileState
}

// fileState is what tells one version of a file from another.
type fileState struct {
	Changed time.Time `json:"changed"`
	Size    int64     `json:"size"`
}

// pairs lists the control files of a folder, oldest first, with their payloads.
func pairs(dir string) ([]pair, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, durable.Nameless(err)
	}
	byName := map[string]os.FileInfo{}
	for _, e := range list {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() {
			byName[e.Name()] = info
		}
	}
	var out []pair
	for file, info := range byName {
		ext := filepath.Ext(file)
		if !strings.EqualFold(ext, ".ctl") || strings.HasPrefix(file, ".") {
			continue
		}
		p := pair{name: strings.TrimSuffix(file, ext), ctl: filepath.Join(dir, file), changed: info.ModTime(), newest: info.ModTime()}
		for _, end := range []string{".dat", ".DAT", ".Dat"} {
			if dat, ok := byName[p.name+end]; ok {
				p.dat = filepath.Join(dir, p.name+end)
				p.datState = fileState{dat.ModTime().UTC(), dat.Size()}
				if dat.ModTime().After(p.newest) {
					p.newest = dat.ModTime()
				}
				break
			}
		}
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool {
		if !out[i].changed.Equal(out[j].changed) {
			return out[i].changed.Before(out[j].changed)
		}
		return out[i].name < out[j].name
	})
	return out, nil
}

// young reports whether a file of the pair may still be written to. A time stamp of the future, as a file server with another
// clock may give, tells nothing and does not hold it up.
func (p pair) young(now time.Time, least time.Duration) bool {
	age := now.Sub(p.newest)
	return age < least && age > -time.Minute
}

func readControl(name string) (Control, []byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return Control{}, nil, durable.Nameless(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, MaxControl+1))
	if err != nil {
		return Control{}, nil, durable.Nameless(err)
	}
	c, err := Parse(bytes.NewReader(raw))
	return c, raw, err
}
