// Package rollout moves an alias to another version in steps, watches whether
// the new version does worse than the old one, and moves the alias back when it
// does.
//
//	r, err := rollout.Open(ctx, rollout.Options{State: store, Catalog: catalog, Invoker: invoker, Node: id})
//	go r.Run(ctx)                       // drives roll-outs, on one node at a time
//	made, err := r.Start(ctx, account, rollout.Spec{Function: "hello", Alias: "live", To: "7", Strategy: "canary10percent5minutes"})
//	err = r.Watch(ctx, account, made.ID, func(now *rollout.Rollout) error { … })
//
// A roll-out is a client of the catalog like any other: it sets the alias's
// version and weights by UpdateAlias, and leaves to the deployment manager that
// nobody meets a cold start when they change. If somebody else changes the alias
// meanwhile, the roll-out ends and leaves it alone.
//
// # What is kept where
//
// The bucket "rollouts" of package state holds one entry for each alias that
// ever had a roll-out: the present or last one, and the outcome of some before.
// Every transition is one compare-and-swap of it, with the event that says why;
// what a step does to the alias comes between two of them and can be repeated
// ([record.wanted], [record.expects]). So a node that is killed at any moment
// goes on, or another one does: steps end at a time of the day that is stored,
// and a hook whose end was not stored is called again.
//
// The node that has the lease drives; commands (pause, resume, abort) are
// transitions that any node may store. The guards see the invocations of the
// node that drives.
//
// # Guards
//
// Only requests that name the alias count. Which of the two versions answers
// such a request is drawn by lot, so that the two groups of requests are alike,
// whatever the time of the day: the new version is compared with the old one
// over the same time. See package evidence for the test, and [comparison] for
// what is counted.
package rollout
