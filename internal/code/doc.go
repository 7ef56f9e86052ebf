// Package code keeps what functions are made of: packages, which are zip
// archives named by the SHA-256 of their bytes.
//
// A package comes in through [Store.Put], which checks all of it before
// anything is stored: nothing that could be unpacked outside its directory,
// nothing that is not a file, a directory or a harmless link, nothing that
// grows beyond the limits. A node unpacks a package once, into its [Cache], and
// shares the directory read-only between all environments that run it:
//
//	pkg, err := store.Put(ctx, zip)             // *InvalidError when the archive is refused
//	lease, err := cache.Acquire(ctx, pkg.SHA256) // unpacks at most once
//	... mount lease.Dir ...
//	lease.Release()                              // from now on it may be evicted
//
// What packages have in common is on the disk once: their files are hard links
// to the cache's file store, where a file is named by its contents, mode and
// time. Nothing there can be written to from an environment. Accounts share it,
// as they share packages: whoever has the same file can tell by inotify or the
// page cache that others use it, and flock(2) on it reaches as far.
//
// A SHA-256 is written in base64 wherever the API shows it, which is
// everywhere outside this package; files and keys are named in hex.
package code
