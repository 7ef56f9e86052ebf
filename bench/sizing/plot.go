package main

import (
	"image/color"
	"os"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Colours that people who see few of them can tell apart (Okabe and Ito).
var (
	orange = color.RGBA{R: 0xe6, G: 0x9f, A: 0xff}
	blue   = color.RGBA{G: 0x72, B: 0xb2, A: 0xff}
	green  = color.RGBA{G: 0x9e, B: 0x73, A: 0xff}
)

// draw makes a picture of the replay: above, what all environments hold over
// time: the limits that owners asked for, what sizing allocates in their place,
// and what is used; below, the same without the first, which is so much higher.
func (r result) draw(path string) error {
	limit := line{"limit asked for", orange, func(s sample) float64 { return s.allocated[off] }}
	allocated := line{"allocated by sizing", blue, func(s sample) float64 { return s.allocated[apply] }}
	used := line{"used", green, func(s sample) float64 { return s.used[apply] }}
	var rows [][]*plot.Plot
	for _, lines := range [][]line{{limit, allocated, used}, {allocated, used}} {
		p, err := r.over(lines)
		if err != nil {
			return err
		}
		rows = append(rows, []*plot.Plot{p})
	}
	rows[0][0].Title.Text = "Memory of all environments"
	return save(rows, path)
}

// line is one of a plot.
type line struct {
	name  string
	color color.Color
	of    func(sample) float64
}

func (r result) over(lines []line) (*plot.Plot, error) {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "minutes", "GB"
	p.Y.Min = 0
	p.Legend.Top, p.Legend.Left, p.Legend.Padding = true, true, vg.Points(3)
	p.Add(plotter.NewGrid())
	for _, l := range lines {
		points := make(plotter.XYs, len(r.samples))
		for i, s := range r.samples {
			points[i] = plotter.XY{X: float64(s.at) / float64(time.Minute), Y: l.of(s)}
		}
		drawn, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		drawn.Color, drawn.Width = l.color, vg.Points(1.5)
		p.Add(drawn)
		p.Legend.Add(l.name, drawn)
	}
	p.Y.Max *= 1.25 // room for the legend
	return p, nil
}

func save(rows [][]*plot.Plot, path string) error {
	picture := vgimg.NewWith(vgimg.UseWH(22*vg.Centimeter, 20*vg.Centimeter), vgimg.UseDPI(110))
	tiles := draw.Tiles{Rows: len(rows), Cols: 1, PadY: vg.Centimeter, PadTop: vg.Points(6), PadRight: vg.Points(12), PadLeft: vg.Points(6), PadBottom: vg.Points(6)}
	for i, canvases := range plot.Align(rows, tiles, draw.New(picture)) {
		rows[i][0].Draw(canvases[0])
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := (vgimg.PngCanvas{Canvas: picture}).WriteTo(f); err != nil {
		f.Close() // incomplete
		return err
	}
	return f.Close()
}
