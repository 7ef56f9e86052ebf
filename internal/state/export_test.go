package state

// Swept returns when what unfinished uploads left was removed.
func (o *Objects) Swept() { <-o.swept }
