package oci

import (
	"context"
	"errors"
	"sync"

	"github.com/opencontainers/cgroups"

	"github.com/hearthd/hearth/internal/sandbox"
)

// instance is a cgroup that holds the cgroups of its environments.
type instance struct {
	driver   *Driver
	id       string
	capacity sandbox.Capacity
	ids      int // index of its user id range
	cgroup   cgroups.Manager

	mu           sync.Mutex
	environments map[*environment]struct{}
	destroyed    bool
}

func (i *instance) ID() string                 { return i.id }
func (i *instance) Capacity() sandbox.Capacity { return i.capacity }

// Boot makes an environment and starts its first process.
func (i *instance) Boot(ctx context.Context, id string, s sandbox.BootSpec) (sandbox.Environment, error) {
	e, err := bootEnvironment(ctx, i, id, s)
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	if !i.destroyed {
		i.environments[e] = struct{}{}
		i.mu.Unlock()
		return e, nil
	}
	i.mu.Unlock()
	e.Kill()
	return nil, errors.Join(sandbox.ErrGone, e.Release())
}

func (i *instance) forget(e *environment) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.environments, e)
}

// Destroy kills the environments that are left, releases them and removes the
// instance's cgroup.
func (i *instance) Destroy() error {
	i.mu.Lock()
	if i.destroyed {
		i.mu.Unlock()
		return nil
	}
	i.destroyed = true
	left := make([]*environment, 0, len(i.environments))
	for e := range i.environments {
		left = append(left, e)
	}
	i.mu.Unlock()
	for _, e := range left {
		e.Kill()
	}
	var errs []error
	for _, e := range left {
		errs = append(errs, e.Release())
	}
	errs = append(errs, i.cgroup.Destroy())
	d := i.driver
	d.mu.Lock()
	delete(d.instances, i)
	d.mu.Unlock()
	d.giveIDs(i.ids)
	return errors.Join(errs...)
}
