package worker

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"time"
)

// A machine is saturated when its processors rest less than saturatedRest of the
// time, in a window so short that it shows a burst; and occupied when they rest
// less than occupiedRest of it over seconds.
const (
	saturatedRest   = 0.25
	saturatedWindow = 100 * time.Millisecond
	occupiedRest    = 0.8
	occupiedWindow  = loadWindow
)

// idleness watches how much the machine's processors rest, over windows of a
// length. The zero value of the rest has not looked yet.
type idleness struct {
	window time.Duration
	// share is the share of a window that the processors rest at least when
	// they have some to spare.
	share float64

	looked time.Time
	rested time.Duration // of all processors together, since the machine booted
	none   bool
}

// exhausted tells whether the processors had too little rest in the last
// window. Where it can't be known, they had enough.
func (i *idleness) exhausted(now time.Time) bool {
	passed := now.Sub(i.looked)
	if passed < i.window {
		return i.none
	}
	rested, ok := processorsRested()
	first := i.looked.IsZero()
	i.none = ok && !first && (rested-i.rested).Seconds() < i.share*passed.Seconds()*float64(runtime.NumCPU())
	i.looked, i.rested = now, rested
	return i.none
}

// processorsRested is the second number of /proc/uptime: seconds that the
// processors were idle, all together, in hundredths.
func processorsRested() (time.Duration, bool) {
	b, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, false
	}
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(string(f[1]), 64)
	return time.Duration(seconds * float64(time.Second)), err == nil
}
