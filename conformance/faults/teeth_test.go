//go:build unix

package faults

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// bug is one seeded bug and the test that finds it.
type bug struct{ name, pkg, test string }

// bugs lists every place in the product that asks teeth.Bite for a bug.
func bugs() []bug {
	const (
		store, pipe, stream, register = "engine/store", "engine/pipeline", "engine/stream", "engine/register"
		mesh, api, whole              = "mesh", "fhir/api", "conformance"
	)
	return []bug{
		// The record.
		{"commits-stay-in-memory", store, "TestEveryCommitReachesTheDisk"},
		{"last-part-lost", store, "TestOnSQLite/SpooledBodiesAreKeptOnce"},
		{"answer-before-commit", store, "TestOnSQLite/IntakeTakesAMessageOnce"},
		{"order-by-clock", store, "TestOnSQLite/TimesOfReceiptOfOneSourceNeverGoBack"},
		{"handle-every-copy", store, "TestOnSQLite/FileIsDoneWhenItsLastEventHasItsOutcome"},
		{"acknowledge-before-last-event", store, "TestOnSQLite/FileIsDoneWhenItsLastEventHasItsOutcome"},
		{"faults-forgotten", store, "TestOnSQLite/FileIsDoneWhenItsLastEventHasItsOutcome"},
		{"skip-the-reconciler", store, "TestOnSQLite/OutboxPublishesMarksAndReconciles"},
		{"mark-over-verdict", store, "TestOnSQLite/OutboxPublishesMarksAndReconciles"},
		{"no-bound-in-flight", store, "TestOnSQLite/WindowBoundsWhatIsInFlight"},
		{"retry-frees-quarantined", store, "TestOnSQLite/QuarantineIsLeftByAPersonAlone"},
		{"effect-planned-again", store, "TestOnSQLite/Ledger"},
		{"notice-without-key", store, "TestOnSQLite/OneAccessIsToldToOneAuthorityOnce"},
		{"own-clock", store, "TestAWrongClockIsCorrected"},
		{"frozen-keeps-its-locks", store, "TestAFrozenProcessLosesItsLocks"},
		{"register-takes-lesser", store, "TestOnSQLite/RegisterDoesNotDependOnOrder"},
		{"copies-count-together", store, "TestOnSQLite/ManyAreResolvedAsOneByOne"},
		{"bulk-keeps-lesser", store, "TestOnSQLite/ManyRowsAreRaisedAsOneByOne"},
		{"unsure-is-undone", pipe, "TestASendWhoseReplyWasLostIsLookedUpAndNotRepeated"},
		// The register.
		{"access-recorded-twice", register, "TestOnSQLite/RepeatedQueryIsRecordedOnce"},
		{"history-counts-scheduled", register, "TestOnSQLite/HistoryHoldsTwentyFiveUnscheduledAccesses"},
		{"notify-scheduled", register, "TestOnSQLite/Responsible"},
		{"future-access-hides-flag", register, "TestOnSQLite/Responsible"},
		// The pipeline.
		{"acknowledge-before-intake", pipe, "TestAFileIsDurableBeforeItIsAcknowledged"},
		{"poison-blocks-mailbox", pipe, "TestAMessageThatCannotBeReadBlocksNoOther"},
		{"files-overtake", pipe, "TestALaterFileDoesNotOvertake"},
		{"full-disk-blames-files", pipe, "TestNoFileIsPassedOverWhileTheRecordIsAway"},
		{"message-id-holds-time", pipe, "TestAFileCollectedTwiceIsTranslatedOnce"},
		{"mark-before-publish", pipe, "TestAnEventThatDidNotGoOutGoesOutAgain"},
		{"unsure-is-published", pipe, "TestAnEventThatDidNotGoOutGoesOutAgain"},
		{"resolve-without-effect", pipe, "TestAFlagStandsAndItsFileIsAcknowledgedOnce"},
		{"foreign-authority", pipe, "TestNobodyFlagsInAnothersName"},
		{"one-fails-all-fail", pipe, "TestHandlersShareATransactionAndNotItsFailure"},
		{"window-ignored", pipe, "TestNotificationsWaitForTheirWindow"},
		{"told-again-and-again", pipe, "TestNotificationsWaitForTheirWindow"},
		{"attempt-not-looked-up", pipe, "TestASendWhoseReplyWasLostIsLookedUpAndNotRepeated"},
		{"unknown-is-undone", pipe, "TestASendWhoseReplyWasLostIsLookedUpAndNotRepeated"},
		{"thawed-owner-sends", pipe, "TestAThawedOwnerSendsNothing"},
		{"effect-before-ledger", pipe, "TestAnEffectIsInTheLedgerBeforeItIsSent"},
		{"retry-for-ever", pipe, "TestRetriesFollowTheirScheduleAndEndInQuarantine"},
		{"panic-takes-all-down", pipe, "TestAMappingThatPanicsTakesNothingElseDown"},
		// What goes back to an authority.
		{"refused-rows-left-out", whole, "TestBadCSVRows"},
		// The stream.
		{"vanished-group-forgotten", stream, "TestVanishedStreamOrGroupComesBack"},
		{"own-pending-forgotten", stream, "TestCrashedConsumerReadsOwnPendingFirst"},
		{"counts-not-asked-again", stream, "TestCountingIsTriedAgain"},
		{"undecodable-ends-reader", stream, "TestPoisonIsPutAsideAndTheRestGoesOn"},
		{"claim-own-entries", stream, "TestHeldRemembersDuringALook"},
		{"no-back-pressure", stream, "TestBackPressure"},
		{"no-heartbeat", stream, "TestSlowHandlerKeepsItsMessage"},
		{"lane-by-chance", stream, "TestOrderByKeyOverFiveThousand"},
		{"acknowledge-before-handling", stream, "TestAMessageIsPendingUntilItsHandlerIsDone"},
		{"client-repeats-publish", stream, "TestPublishReplyLostIsUnsureAndSentOnce"},
		{"lost-reply-is-refusal", stream, "TestPublishReplyLostIsUnsureAndSentOnce"},
		{"trim-what-is-pending", stream, "TestTrimOnlyBelowAcknowledged"},
		// MESH.
		{"last-chunk-lost", mesh, "TestChunkedAndGzippedBothWays"},
		{"token-reused", mesh, "TestRepeatedCallsCarryFreshTokens"},
		{"send-repeated", mesh, "TestLostReplyToSend"},
		// The face that trusts talk to.
		{"repeat-counts-again", api, "TestAccessID"},
		{"absent-means-scheduled", api, "TestAccessIsRecordedAsAsked"},
	}
}

// Every seeded bug is found by its test, which passes without it. A bug that survives is a hole in the tests.
func TestTeeth(t *testing.T) {
	root := moduleRoot(t)
	built := buildTests(t, root)
	run := func(name, pkg, test string, limit time.Duration) (took time.Duration, out string, err error) {
		cmd := exec.Command(built[pkg], "-test.run", "^"+strings.ReplaceAll(test, "/", "$/^")+"$", "-test.timeout", limit.String(), "-test.v")
		cmd.Dir, cmd.Env = filepath.Join(root, pkg), append(os.Environ(), "SIGNALBOX_BUG="+name)
		begun := time.Now()
		raw, err := cmd.CombinedOutput()
		if !strings.Contains(string(raw), "=== RUN   "+test+"\n") {
			t.Errorf("%s has no test %s", pkg, test)
		}
		return time.Since(begun), string(raw), err
	}
	byTest := map[bug][]string{}
	for _, b := range bugs() {
		at := bug{pkg: b.pkg, test: b.test}
		byTest[at] = append(byTest[at], b.name)
	}
	slots := make(chan struct{}, max(2, runtime.NumCPU()))
	var jobs sync.WaitGroup
	for at, names := range byTest {
		slots <- struct{}{}
		jobs.Go(func() {
			defer func() { <-slots }()
			took, out, err := run("", at.pkg, at.test, patience)
			if err != nil {
				t.Errorf("%s of %s fails without a bug: %v\n%s", at.test, at.pkg, err, out)
				return
			}
			for _, name := range names {
				// A test that a bug makes wait for what never comes has found it too, so it need not wait to its own end.
				if _, _, err := run(name, at.pkg, at.test, 8*time.Second+4*took); err == nil {
					t.Errorf("the bug %s survives: %s of %s does not see it", name, at.test, at.pkg)
				}
			}
		})
	}
	jobs.Wait()
	t.Logf("%d seeded bugs, each looked for by its test", len(bugs()))
}

// buildTests compiles each package's tests once, with the bugs in.
func buildTests(t *testing.T, root string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	out := map[string]string{}
	for _, b := range bugs() {
		out[b.pkg] = filepath.Join(dir, strings.ReplaceAll(b.pkg, "/", "-")+".test")
	}
	for pkg, file := range out {
		cmd := exec.Command("go", "test", "-c", "-tags", "teeth", "-o", file, "signalbox/"+pkg)
		cmd.Dir = root
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s does not build with seeded bugs: %v\n%s", pkg, err, text)
		}
	}
	return out
}

// The list and the product agree: no bug without a test, no test without a bug, no name used in two packages.
func TestEverySeededBugIsListed(t *testing.T) {
	root := moduleRoot(t)
	place := regexp.MustCompile(`teeth\.Bite\("([^"]+)"\)`)
	seeded := map[string]string{}
	walk := exec.Command("git", "ls-files", "*.go")
	walk.Dir = root
	files, err := walk.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(files)) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range place.FindAllStringSubmatch(string(raw), -1) {
			if at := seeded[m[1]]; at != "" && at != name {
				t.Errorf("the bug %s is in %s and in %s", m[1], at, name)
			}
			seeded[m[1]] = name
		}
	}
	listed := map[string]bool{}
	for _, b := range bugs() {
		if listed[b.name] {
			t.Errorf("the bug %s is listed twice", b.name)
		}
		listed[b.name] = true
	}
	if got, want := slices.Sorted(maps.Keys(seeded)), slices.Sorted(maps.Keys(listed)); !slices.Equal(got, want) {
		t.Errorf("seeded: %v\nlisted: %v", got, want)
	}
	if len(listed) < 25 {
		t.Errorf("only %d bugs are seeded", len(listed))
	}
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(fmt.Errorf("the module's folder is not found: %w", err))
	}
	return strings.TrimSpace(string(out))
}
