package oci

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"

	"github.com/hearthd/hearth/internal/sandbox"
)

var errDestroyed = errors.New("its instance was destroyed")

// instance is a cgroup that holds the cgroups of its environments.
type instance struct {
	driver   *Driver
	id       string
	capacity sandbox.Capacity
	ids      int // index of its user id range
	cgroup   cgroups.Manager

	booting sync.WaitGroup // holds Destroy up

	mu           sync.Mutex
	environments map[*environment]struct{}
	destroyed    bool

	destroy    sync.Once
	destroyErr error
}

func (i *instance) ID() string                 { return i.id }
func (i *instance) Capacity() sandbox.Capacity { return i.capacity }

// settingUp is held while an instance's cgroup is set up: the library looks up
// the names of some files the first time and keeps them in variables that all
// its callers share. An environment's cgroup comes after its instance's.
var settingUp sync.Mutex

func (i *instance) makeCgroup() (err error) {
	settingUp.Lock()
	defer settingUp.Unlock()
	r := instanceResources(i.capacity)
	i.cgroup, err = manager.New(&cgroups.Cgroup{Path: filepath.Join(i.driver.cgroupRoot(), i.id), Resources: r})
	if err != nil {
		return err
	}
	if err = i.cgroup.Apply(-1); err == nil { // no process, just the directories
		err = i.cgroup.Set(r)
	}
	if err != nil {
		err = errors.Join(err, i.cgroup.Destroy())
	}
	return err
}

// Boot makes an environment and starts its first process.
func (i *instance) Boot(ctx context.Context, id string, s sandbox.BootSpec) (sandbox.Environment, error) {
	i.mu.Lock()
	if i.destroyed {
		i.mu.Unlock()
		return nil, fmt.Errorf("boot environment %s: %w", id, errDestroyed)
	}
	i.booting.Add(1)
	i.mu.Unlock()
	defer i.booting.Done()

	var e *environment
	err := atRank(s.Rank, func() (err error) {
		e, err = bootEnvironment(ctx, i, id, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.environments[e] = struct{}{}
	return e, nil
}

func (i *instance) forget(e *environment) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.environments, e)
}

// Destroy waits for environments being booted, kills all that are left,
// releases them and removes the instance's cgroup.
func (i *instance) Destroy() error {
	i.destroy.Do(func() { i.destroyErr = i.takeApart() })
	return i.destroyErr
}

func (i *instance) takeApart() error {
	i.mu.Lock()
	i.destroyed = true
	i.mu.Unlock()
	i.booting.Wait()
	i.mu.Lock()
	left := slices.Collect(maps.Keys(i.environments))
	i.mu.Unlock()
	for _, e := range left {
		e.Kill()
	}
	var errs []error
	for _, e := range left {
		errs = append(errs, e.Release())
	}
	errs = append(errs, i.cgroup.Destroy())
	i.driver.forget(i)
	return errors.Join(errs...)
}
