// Package mappings is the mapping language: it loads a supplier's folder, checks all of it before any of it runs, compiles it to
// closures and translates that supplier's messages into canonical events.
//
// A folder holds mapping.yaml (one rule a target field), source.yaml (the declared source), tables/*.csv (code tables) and
// tests/*.txtar (what goes in, what must come out). Nothing in it is guessed: a misspelt name of any kind is a Problem with file, line
// and caret, and a step that can fail says what becomes of the record. The README has the language on one page.
package mappings
