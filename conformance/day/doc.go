// Package day proves the whole by a national day in small or in full: every authority uploads, every setting asks, the engine is killed in
// the middle, and a model that shares no code with it says what each child's state, each notification and each refusal must be.
package day
