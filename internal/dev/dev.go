// Package dev is `hearth dev`: a directory whose every save is served.
//
//	err := dev.Session{Dir: "./hello", Function: "hello", Node: node, Deploy: deploy, ...}.Run(ctx)
//
// A session brings the function up to date with the directory and has the node
// keep an environment of it. When something is saved, the node initialises the
// new code in a second environment, and requests go on to the first until it is
// ready. Code that does not initialise never serves: the session says what is
// wrong with it, and the last revision that works answers.
package dev

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hearthd/hearth/internal/client"
	"github.com/hearthd/hearth/internal/project"
)

const (
	// keepEvery is how often the function is given an environment when the node
	// has ended the one it had, for it was idle or the node was started anew.
	keepEvery = 20 * time.Second
	// followAgain is the pause before the log is followed again after the node
	// was gone.
	followAgain = time.Second
)

// Session is one run of `hearth dev`.
type Session struct {
	Dir      string
	Function string
	Node     *client.Client
	// Deploy brings the function up to date with the directory.
	Deploy func(context.Context) (*client.Deployed, error)
	// Event, when it is not nil, is what the function is invoked with after
	// every change.
	Event []byte
	// Tell is told how each change went, Log the lines of the function's log.
	// They may be called at the same time.
	Tell func(Report)
	Log  func(client.LogEvent) error
}

// Report is how one change went. The first one is of the session's start, and
// has no Change.
type Report struct {
	Change project.Change
	// Deployed is nil when there is an Err.
	Deployed *client.Deployed
	// Took is the time from the save to the moment the new revision had an
	// environment that was ready to answer, and requests went to it.
	Took time.Duration
	// Answer is to the session's event, nil if there is none.
	Answer *client.Answer
	// Err says why the new code does not serve.
	Err error
}

// Changed tells whether there was anything to do.
func (r *Report) Changed() bool {
	return r.Err != nil || r.Deployed.Created || r.Deployed.CodeChanged || r.Deployed.ConfigChanged
}

// FunctionsFault tells whether Err is about the new code or configuration.
func (r *Report) FunctionsFault() bool {
	var failed *client.FailedError
	var broken *InitError
	return errors.As(r.Err, &failed) || errors.As(r.Err, &broken)
}

// InitError says that code was deployed and does not initialise.
type InitError struct{ client.InitError }

func (e *InitError) Error() string {
	text := e.Message
	if e.Type != "" {
		text = e.Type + ": " + text
	}
	if len(e.Trace) > 0 {
		text += "\n" + strings.TrimRight(strings.Join(e.Trace, ""), "\n")
	}
	return text
}

// Run runs the session until ctx ends, which is no error. It fails if the
// function can't be brought up to date at the start.
func (s Session) Run(ctx context.Context) (err error) {
	watcher, err := project.Watch(s.Dir) // first: what is saved while we begin counts
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, watcher.Close()) }()
	begun := time.Now()
	first := s.serve(ctx, project.Change{Saved: begun}) // of a function that may not exist
	if first.Err != nil && !first.FunctionsFault() {
		return first.Err
	}
	s.Tell(first)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.follow(ctx, begun) })
	group.Go(func() error { return s.keep(ctx) })
	group.Go(func() error {
		return watcher.Run(ctx, func(c project.Change) error {
			// The node may have ended the environment; without one it would not
			// try the new code before it serves. What is wrong with the old
			// code was said.
			_, _ = s.Node.Ready(ctx, s.Function)
			r := s.serve(ctx, c)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.Tell(r)
			return nil
		})
	})
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// serve makes what is in the directory what the node serves.
func (s Session) serve(ctx context.Context, c project.Change) (r Report) {
	r.Change = c
	if r.Deployed, r.Err = s.Deploy(ctx); r.Err != nil {
		return r
	}
	// After an update of a function that had an environment this one is there.
	ready, err := s.Node.Ready(ctx, s.Function)
	r.Took = time.Since(c.Saved)
	switch {
	case err != nil:
		r.Err = err
	case ready.InitError != nil:
		r.Err = &InitError{*ready.InitError}
	case s.Event != nil && r.Changed():
		r.Answer, r.Err = s.Node.Invoke(ctx, client.Invocation{Function: s.Function, Payload: s.Event})
	}
	if r.Err != nil {
		r.Deployed = nil
	}
	return r
}

// keep has the function always have an environment.
func (s Session) keep(ctx context.Context) error {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			// What is wrong was said when the code was deployed, or will be.
			_, _ = s.Node.Ready(ctx, s.Function)
		}
	}
}

// follow passes the function's log on, also after the node was gone for a while.
func (s Session) follow(ctx context.Context, since time.Time) error {
	for {
		var refused error
		err := s.Node.Logs(ctx, s.Function, client.LogQuery{Since: since, Follow: true}, func(e client.LogEvent) error {
			if at := e.Time(); at.After(since) {
				since = at
			}
			refused = s.Log(e)
			return refused
		})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case refused != nil:
			return fmt.Errorf("print the log: %w", err)
		}
		timer := time.NewTimer(followAgain)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}
