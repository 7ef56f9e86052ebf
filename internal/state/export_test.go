package state

import "time"

// SetMarkerTTL is for buckets opened from now on.
func (s *Store) SetMarkerTTL(d time.Duration) { s.markerTTL = d }
