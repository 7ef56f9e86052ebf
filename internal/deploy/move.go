package deploy

import (
	"context"
	"time"

	"github.com/hearthd/hearth/internal/function"
)

// moveWait is how long UpdateAlias waits for an alias to have moved.
const moveWait = 5 * time.Second

// AwaitMove returns when the alias no longer moves, has been told to move
// elsewhere, or after a few seconds. The error is an [*function.Error] of kind
// Conflict when the move with this RevisionID was undone, because what the
// alias was to move to does not work.
func (m *Manager) AwaitMove(ctx context.Context, key function.Key, alias, revisionID string) error {
	limit := time.NewTimer(moveWait)
	defer limit.Stop()
	for {
		changed := m.news.of(key)
		view, ok := m.rooms.Catalog.Lookup(key)
		if !ok {
			return nil
		}
		a := view.Aliases[alias]
		switch {
		case a == nil:
			return nil
		case a.Refused != nil && a.Refused.RevisionID == revisionID:
			return &function.Error{Kind: function.Conflict, Message: a.Refused.Reason}
		case a.Moving == nil || a.RevisionID != revisionID || view.Trigger() == function.OnRequest:
			return nil
		}
		select {
		case <-changed:
		case <-limit.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
