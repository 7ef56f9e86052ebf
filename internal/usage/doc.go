// Package usage keeps account of what executions were given and used: for each
// function, version and hour the invocations, and memory times time as asked
// for, allocated and used.
//
//	u, err := usage.Open(ctx, store, usage.Options{Dir: dir, Log: log})
//	u.Record(rev, usage.Execution{Answered: true, Asked: 512, Allocated: 128, Billed: billed}) // before the answer
//	u.RecordUse(rev, peak, billed)                                                           // once it is measured
//	rows, err := u.Read(ctx, usage.Query{Account: id, By: usage.By{Day: true}})
//
// # Exact, and durable
//
// An execution is recorded before its answer is sent, in a journal: a file that
// is mapped into memory, so that recording is a few stores and survives the
// death of the process at any moment, kill -9 included. In the background the
// journal is folded into the state, which adds up what belongs to the same
// function, version and hour.
//
// Records have positions, which only grow. With the sums of a day, the state
// keeps up to which position of which journal they count, and changes both by one
// compare-and-swap: a record that is folded again, because the process died
// before the journal knew that it was, or because an answer got lost, counts once.
//
// So after a crash every invocation that was answered is counted, exactly once.
// One that was under way, and whose caller has no answer, may be counted. What it
// used is measured after the answer, and recorded then: the crash may take that of
// invocations under way.
//
// When the machine loses power, the journal loses what the kernel had not
// written yet, at most the last half minute or so.
//
// # Bounded
//
// The journal is a ring of a fixed size. Should the state not take records for
// so long that it is full, invocations wait a little, and then their records are
// dropped, counted in the node's log. The state forgets days that are older than
// [Options.Keep].
package usage
