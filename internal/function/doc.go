// Package function is the catalog: which functions exist, what their owners
// set, which versions and aliases they have, and the rules all of that obeys.
//
// [Open] loads the catalog from package state and keeps an in-memory copy up
// to date by watching it, so that reads never leave the process:
//
//	cat, err := function.Open(ctx, store, function.Options{Region: "eu-central-1"})
//	view, ok := cat.Lookup(function.Key{Account: acct, Name: "hello"}) // lock-free, no allocation
//	rev, version, err := view.Resolve("live", rand.Float64)            // the revision to boot or to call
//
// A [View] is immutable. A mutation builds the next record from the current
// view, writes it by compare-and-swap, tries again when another node was
// faster, and returns only after this node's own view shows the outcome.
//
// # What is stored
//
// One bucket of package state holds, by key:
//
//	f.<account>.<name>          the function's record: everything but the versions' bodies
//	v.<function id>.<n>.<id>    the body of published version n: code and configuration
//	r.<account>                 the account's reserved concurrency, all functions in one record
//
// A body is written under a fresh key before the record that names it, and
// removed after the record that no longer does. A crash in between leaves a
// body nobody names, which is harmless and which a later Open removes; there
// is no moment at which the record is wrong. Reserved concurrency shares one
// record because its rule (what stays unreserved) spans all functions of the
// account, and only one record can be compared and swapped.
//
// # History
//
// Every record says what made it of the one before ([Change]), and the bucket
// keeps the last records of each key: together they are the function's history
// ([Catalog.History]), which a crash can't make say too much or too little.
// Who asks for a change is in the context ([WithAuthor]). [Catalog.Rollback]
// takes the last change back.
//
// # Updates
//
// An accepted update leaves LastUpdateStatus InProgress: [View.Wanted] is the
// new revision, [View.Serving] still the old one. The deployment manager learns
// of it by [Catalog.Changes] (or [Catalog.Pending], after a start), prepares
// the new revision and calls [Catalog.CompleteUpdate] or [Catalog.FailUpdate].
// An alias moves to another [Route] in the same way, see [Alias.Moving] and
// [Catalog.CompleteMove]. A change that comes meanwhile overtakes: what was wanted
// before it never serves.
package function
