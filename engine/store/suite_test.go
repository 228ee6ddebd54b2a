package store_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"signalbox/engine/store"
	"signalbox/engine/store/pgtest"
)

// server is the PostgreSQL of this test binary: it starts with the first test that asks for it.
var server pgtest.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	server.Stop()
	if err := goleak.Find(); code == 0 && err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

var ctx = context.Background()

// place is where a test's record is: it can be opened again, also while it is open where the database allows that.
type place struct{ cfg store.Config }

func (p place) open(t testing.TB) *store.Store { return p.openAt(t, time.Now) }

func (p place) openAt(t testing.TB, now func() time.Time) *store.Store {
	t.Helper()
	s, err := store.Open(ctx, p.cfg, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func sqlite(t testing.TB) place {
	cfg := store.Default()
	cfg.Path = filepath.Join(t.TempDir(), "record with a space.db")
	return place{cfg}
}

func postgres(t testing.TB) place {
	pg := server.Get(t)
	cfg := store.Default()
	cfg.URL, cfg.Password = pg.Database(t), pg.Password()
	return place{cfg}
}

// suite is what a record promises, whichever database keeps it.
func suite() map[string]func(*testing.T, place) {
	return map[string]func(*testing.T, place){
		"IntakeTakesAMessageOnce":                 testIntakeTakesAMessageOnce,
		"OneAccessIsToldToOneAuthorityOnce":       testOneAccessIsToldToOneAuthorityOnce,
		"QuarantineIsLeftByAPersonAlone":          testQuarantineIsLeftByAPersonAlone,
		"TimesOfReceiptOfOneSourceNeverGoBack":    testTimesOfReceiptOfOneSourceNeverGoBack,
		"WhatIsWrittenSurvivesReopening":          testWhatIsWrittenSurvivesReopening,
		"FileIsDoneWhenItsLastEventHasItsOutcome": testFileIsDoneWhenItsLastEventHasItsOutcome,
		"FileWithoutEventsIsDoneAtOnce":           testFileWithoutEventsIsDoneAtOnce,
		"OutboxPublishesMarksAndReconciles":       testOutboxPublishesMarksAndReconciles,
		"WindowBoundsWhatIsInFlight":              testWindowBoundsWhatIsInFlight,
		"OneFailureLeavesTheOthersOfTheCommit":    testOneFailureLeavesTheOthersOfTheCommit,
		"ManyAreResolvedAsOneByOne":               testManyAreResolvedAsOneByOne,
		"ManyRowsAreRaisedAsOneByOne":             testManyRowsAreRaisedAsOneByOne,
		"WindowHoldsWhenAnotherProcessRelays":     testWindowHoldsWhenAnotherProcessRelays,
		"WriteAfterCloseIsRefused":                testWriteAfterCloseIsRefused,
		"StatsFollowTheWork":                      testStatsFollowTheWork,
		"StatsOfEffectsAndTheirCauses":            testStatsOfEffectsAndTheirCauses,
		"BodiesAreCompressed":                     testBodiesAreCompressed,
		"RetentionRemovesOnlyWhatNothingNeeds":    testRetentionRemovesOnlyWhatNothingNeeds,
		"EveryTableIsKeptOrCleared":               testEveryTableIsKeptOrCleared,
		"OldRowsGoWithTheirOutcome":               testOldRowsGoWithTheirOutcome,
		"SpooledBodiesAreKeptOnce":                testSpooledBodiesAreKeptOnce,
		"PartsOfNothingAreSweptAway":              testPartsOfNothingAreSweptAway,
		"LargeTranslationIsOneTransaction":        testLargeTranslationIsOneTransaction,
		"LargeEffectsAreOpened":                   testLargeEffectsAreOpened,
		"EventsAndFailedLookUpsAreFound":          testEventsAndFailedLookUpsAreFound,
		"HistoryOfAttempts":                       testHistoryOfAttempts,
		"DroppedMessageEvent":                     testDroppedMessageEvent,
		"PanicOfAChange":                          testPanicOfAChange,
		"LeaseIsFenced":                           testLeaseIsFenced,
		"Ledger":                                  testLedger,
		"Subscriptions":                           testSubscriptions,
		"Responses":                               testResponses,
		"KeyIsTakenOnce":                          testKeyIsTakenOnce,
		"TakenKeySurvivesReopening":               testTakenKeySurvivesReopening,
		"Disagreements":                           testDisagreements,
		"ToldUnderOneNumber":                      testToldUnderOneNumber,
		"UncollectedIsToldAgainOnce":              testUncollectedIsToldAgainOnce,
		"RetentionWaitsForTheCollection":          testRetentionWaitsForTheCollection,
		"ClaimsOfAnAuthority":                     testClaimsOfAnAuthority,
		"AClaimThatIsGivenUp":                     testAClaimThatIsGivenUp,
		"RegisterDoesNotDependOnOrder":            testRegisterDoesNotDependOnOrder,
		"UploadsAreNotedInOrder":                  testUploadsAreNotedInOrder,
	}
}

func TestOnSQLite(t *testing.T) {
	for name, test := range suite() {
		t.Run(name, func(t *testing.T) { test(t, sqlite(t)) })
	}
}

func TestOnPostgreSQL(t *testing.T) {
	for name, test := range suite() {
		t.Run(name, func(t *testing.T) { test(t, postgres(t)) })
	}
}
