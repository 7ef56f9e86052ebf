package sizing

import (
	"math"
	"time"
)

const (
	hoursKept = 24
	daysKept  = 8
)

// peaks are the highest memory of each of the last hours and days, in MB. A
// spike is remembered for daysKept days, however rare it is: no quantile of a
// sketch would keep what comes once in 10,000.
type peaks struct {
	hour  int32 // the newest, since 1970
	day   int32
	hours [hoursKept]uint16 // by hour modulo hoursKept; 0 is no execution
	days  [daysKept]uint16
}

func hourOf(t time.Time) int32 { return int32(t.Unix() / 3600) }

// add takes a peak; one that is older than what is kept is left out.
func (p *peaks) add(t time.Time, mb float64) {
	v := uint16(min(math.Ceil(mb), math.MaxUint16))
	hour := hourOf(t)
	p.advance(hour)
	if p.hour-hour < hoursKept {
		at := &p.hours[hour%hoursKept]
		*at = max(*at, v)
	}
	if day := hour / 24; p.day-day < daysKept {
		at := &p.days[day%daysKept]
		*at = max(*at, v)
	}
}

// advance makes room for an hour that is newer.
func (p *peaks) advance(hour int32) {
	if hour <= p.hour {
		return
	}
	for h := max(p.hour+1, hour-hoursKept+1); h <= hour; h++ {
		p.hours[h%hoursKept] = 0
	}
	day := hour / 24
	for d := max(p.day+1, day-daysKept+1); d <= day; d++ {
		p.days[d%daysKept] = 0
	}
	p.hour, p.day = hour, day
}

// max is the highest peak that is remembered.
func (p *peaks) max() float64 {
	most := uint16(0)
	for _, v := range p.days {
		most = max(most, v)
	}
	return float64(most)
}

// merge takes the peaks of the same function seen elsewhere. Merging twice is
// merging once.
func (p *peaks) merge(o *peaks) {
	if o.hour > p.hour {
		p.advance(o.hour)
	}
	for h := max(0, o.hour-hoursKept+1); h <= o.hour; h++ {
		if p.hour-h < hoursKept {
			at := &p.hours[h%hoursKept]
			*at = max(*at, o.hours[h%hoursKept])
		}
	}
	for d := max(0, o.day-daysKept+1); d <= o.day; d++ {
		if p.day-d < daysKept {
			at := &p.days[d%daysKept]
			*at = max(*at, o.days[d%daysKept])
		}
	}
}

// trend fits a line to the hours' peaks. It returns the growth in MB an hour
// and how much of the peaks' spread the line explains (r²); 0 where fewer than
// trendHours hours have executions.
func (p *peaks) trend() (perHour, fit float64) {
	var l line
	for h := max(0, p.hour-hoursKept+1); h <= p.hour; h++ {
		if v := p.hours[h%hoursKept]; v != 0 {
			l.add(float64(h-p.hour), float64(v), 1)
		}
	}
	if l.n < trendHours {
		return 0, 0
	}
	return l.slope(), l.fit()
}

// trendHours is how many hours with executions a trend needs.
const trendHours = 6
