package store_test

import (
	"context"
	"os"
	"testing"
	"time"

	"signalbox/engine/store"
	"signalbox/engine/store/storetest"
)

// records are the empty records of this test binary.
var records storetest.Records

func TestMain(m *testing.M) { os.Exit(records.Main(m)) }

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
	t.Helper()
	return place{records.SQLite(t)}
}

func postgres(t testing.TB) place {
	t.Helper()
	return place{records.PostgreSQL(t)}
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
