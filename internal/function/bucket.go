package function

import (
	"context"

	"github.com/hearthd/hearth/internal/state"
)

// Bucket is where a catalog is kept: a [state.Bucket] that keeps the past of
// its keys, or for tests one in memory, of package functiontest. The methods do
// what those of state.Bucket do, with its errors.
type Bucket interface {
	Get(ctx context.Context, key string) (state.Entry, error)
	Create(ctx context.Context, key string, value []byte) (revision uint64, err error)
	Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Delete(ctx context.Context, key string, revision uint64) error
	Past(ctx context.Context, key string) ([]state.Entry, error)
	Watch(ctx context.Context, f func(state.Entry)) error
}
