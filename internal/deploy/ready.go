package deploy

import (
	"context"

	"github.com/hearthd/hearth/internal/function"
	"github.com/hearthd/hearth/internal/worker"
)

// Ready makes sure that there is an environment of what the function's $LATEST
// serves, and returns how many there are. A function that has one is hot: its
// next update is initialised before it serves, and so fails if it can't be.
// The errors are those of [worker.Manager.Acquire].
func (m *Manager) Ready(ctx context.Context, serving *function.Revision) (environments int, err error) {
	if n := m.rooms.Workers.Load(serving.ID).Environments; n > 0 {
		return n, nil
	}
	if err := m.rooms.Workers.Prepare(ctx, serving, worker.Ahead{Environments: 1}); err != nil {
		return 0, err
	}
	return m.rooms.Workers.Load(serving.ID).Environments, nil
}
