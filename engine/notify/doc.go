// Package notify makes what goes back to a local authority: acknowledgements of its files, in its own dialect, and notifications of
// accesses to its children.
//
// It only makes bytes and ledger rows; the pipeline's courier sends them.
package notify
