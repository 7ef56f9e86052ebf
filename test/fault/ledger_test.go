package fault

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// facts are what a client was told about one function; absent when nil.
type facts struct {
	Code        string // what the code of $LATEST answers
	Description string
	Versions    map[string]string // number -> what it answers
	Aliases     map[string]string // name -> version
	Tags        map[string]string
	Reserved    int32 // -1: none
}

func newFacts(code string) *facts {
	return &facts{Code: code, Versions: map[string]string{}, Aliases: map[string]string{}, Tags: map[string]string{}, Reserved: -1}
}

func (f *facts) copy() *facts {
	if f == nil {
		return nil
	}
	c := *f
	c.Versions, c.Aliases, c.Tags = maps.Clone(f.Versions), maps.Clone(f.Aliases), maps.Clone(f.Tags)
	return &c
}

// entry is what may be true of a function: what was acknowledged, or, when a
// request had no answer, that or what is true after the request.
type entry struct {
	acknowledged *facts
	doubted      *operation
}

func (e *entry) doubt(o operation) { e.doubted = &o }

// settle compares what the node says now with what may be true, and makes it
// what is acknowledged from here on.
func (e *entry) settle(t testing.TB, name string, now *facts) {
	t.Helper()
	wrong := cmp.Diff(e.acknowledged, now)
	if wrong != "" && e.doubted != nil {
		other := cmp.Diff(e.afterDoubted(now), now)
		if other == "" {
			wrong = ""
		} else {
			wrong = strings.Join([]string{wrong, "nor what was asked for:", other}, "\n")
		}
	}
	if wrong != "" {
		t.Errorf("%s is not what was acknowledged (-acknowledged +now):\n%s", name, wrong)
	}
	*e = entry{acknowledged: now}
}

// afterDoubted is what is true if the doubted request was carried out. The
// number of a version that it may have published is the node's to say.
func (e *entry) afterDoubted(now *facts) *facts {
	after := e.doubted.after.copy()
	if e.doubted.publish && now != nil {
		for number := range now.Versions {
			if _, known := e.acknowledged.Versions[number]; !known && len(now.Versions) == len(e.acknowledged.Versions)+1 {
				after.Versions[number] = after.Code
			}
		}
	}
	return after
}

func source(code string) string {
	return fmt.Sprintf("def handler(event, context):\n    return %q\n", code)
}

// codes are the codes that a function may have, by the sha that the API shows.
func (e *entry) codes() map[string]string {
	all := map[string]string{}
	add := func(f *facts) {
		if f == nil {
			return
		}
		all[shaOf(f.Code)] = f.Code
		for _, code := range f.Versions {
			all[shaOf(code)] = code
		}
	}
	add(e.acknowledged)
	if e.doubted != nil {
		add(e.doubted.after)
	}
	return all
}

func shaOf(code string) string {
	sum := sha256.Sum256(zipOf(code))
	return base64.StdEncoding.EncodeToString(sum[:])
}
