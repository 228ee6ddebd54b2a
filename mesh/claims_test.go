package mesh_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// table returns the rows of the table under a heading of the README, without its head.
func table(t *testing.T, heading string) []string {
	t.Helper()
	raw, err := os.ReadFile("README.md")
	must(t, err)
	_, text, ok := strings.Cut(string(raw), "\n## "+heading)
	text, _, ended := strings.Cut(text, "\n## ")
	rows := regexp.MustCompile(`(?m)^\| .* \|$`).FindAllString(text, -1)
	if !ok || !ended || len(rows) < 2 {
		t.Fatalf("the README has no table under %q", heading)
	}
	return rows[1:]
}

// testsIn returns the names of the tests in some folders.
func testsIn(t *testing.T, dirs ...string) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		must(t, err)
		for _, name := range files {
			code, err := os.ReadFile(name)
			must(t, err)
			for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(string(code), -1) {
				there[m[1]] = true
			}
		}
	}
	return there
}

// proven holds that a row names tests, and that each is there.
func proven(t *testing.T, row string, there map[string]bool) bool {
	t.Helper()
	names := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(row, -1)
	for _, n := range names {
		if !there[n[1]] {
			t.Errorf("no test %s, of %s", n[1], row)
		}
	}
	return len(names) > 0
}

// Each claim of the README names tests that are there.
func TestClaimsHaveTests(t *testing.T) {
	there := testsIn(t, ".", "folder", "../cmd/signalbox", "../engine/pipeline")
	rows := table(t, "What is claimed")
	for _, row := range rows {
		if !proven(t, row, there) {
			t.Errorf("a claim without a test: %s", row)
		}
	}
	if len(rows) < 30 {
		t.Errorf("%d claims were read", len(rows))
	}
}

// folderRows are the rows of what is published of the folder interface: the elements of a control file, the headers of the API that
// they are paired with, and the settings of the Java client.
func folderRows() []string {
	return strings.Fields(`Version AddressType MessageType From_DTS To_DTS From_ESMTP To_ESMTP Subject LocalId DTSId PartnerId Compress AllowChunking Encrypted
		WorkflowId ProcessId DataChecksum IsCompressed StatusRecord/DateTime StatusRecord/Event StatusRecord/Status StatusRecord/StatusCode StatusRecord/Description
		Mex-To Mex-From Mex-WorkflowID Mex-Subject Mex-LocalID Mex-MessageID Mex-PartnerID Mex-ProcessID Mex-Content-Compress Mex-Content-Encrypted
		Mex-Content-Compressed Mex-Content-Checksum Mex-FromSMTP Mex-ToSMTP Mex-AddressType Mex-Version Mex-MessageType Mex-StatusTimestamp Mex-StatusEvent
		Mex-StatusSuccess Mex-StatusCode Mex-StatusDescription
		PrimaryURL LogPath KeyStorePath KeyStorePassword WorkPath ProxyPath SignalPath PollPeriod ServerRetry MaxMessages MaxConnections AutoUpgrade
		AuthenticationKey ProcessingDelay ClientIdentity ClientAuthentication MailboxType InterfaceRoot CollectReport TransferReport PollReport SaveSent`)
}

// Each row of the folder interface has a test, or a line that says why it is not here.
func TestFolderRowsAreProven(t *testing.T) {
	there := testsIn(t, "folder", "../cmd/signalbox")
	rows := table(t, "The folder interface, row by row")
	for _, name := range folderRows() {
		if !slices.ContainsFunc(rows, func(row string) bool {
			first, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " | ")
			return strings.Contains(first, "`"+name+"`")
		}) {
			t.Errorf("no row for %s", name)
		}
	}
	for _, row := range rows {
		if !proven(t, row, there) && !regexp.MustCompile(`\| Not here[^:]*: .{20}`).MatchString(row) {
			t.Errorf("neither a test nor a reason: %s", row)
		}
	}
}
