package sizing

// line is a weighted linear regression of y over x, as sums.
type line struct{ n, x, y, xx, xy, yy float64 }

func (l *line) add(x, y, w float64) {
	l.n += w
	l.x += w * x
	l.y += w * y
	l.xx += w * x * x
	l.xy += w * x * y
	l.yy += w * y * y
}

func (l *line) scale(f float64) {
	l.n, l.x, l.y, l.xx, l.xy, l.yy = l.n*f, l.x*f, l.y*f, l.xx*f, l.xy*f, l.yy*f
}

func (l *line) merge(o line) {
	l.n += o.n
	l.x += o.x
	l.y += o.y
	l.xx += o.xx
	l.xy += o.xy
	l.yy += o.yy
}

// slope is in y per x; 0 where x never varied.
func (l *line) slope() float64 {
	if d := l.n*l.xx - l.x*l.x; d > 1e-9*l.n*l.xx {
		return (l.n*l.xy - l.x*l.y) / d
	}
	return 0
}

// fit is the share of y's variance that the line explains, r².
func (l *line) fit() float64 {
	dx, dy := l.n*l.xx-l.x*l.x, l.n*l.yy-l.y*l.y
	if dx <= 1e-9*l.n*l.xx || dy <= 1e-9*l.n*l.yy {
		return 0
	}
	c := l.n*l.xy - l.x*l.y
	return c * c / (dx * dy)
}
