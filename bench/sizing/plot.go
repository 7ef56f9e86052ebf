package main

import (
	"image/color"
	"os"

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

// draw makes a picture of the replay: what all environments hold over time. The
// limits that owners asked for are so much higher than what is used that one
// half of the picture shows amounts, the other, with a logarithmic axis, ratios.
func (r result) draw(path string) error {
	linear, err := r.over()
	if err != nil {
		return err
	}
	logarithmic, err := r.over()
	if err != nil {
		return err
	}
	linear.Title.Text = "Memory of all environments"
	linear.Y.Min = 0
	logarithmic.Title.Text = "The same, logarithmic"
	logarithmic.Y.Scale, logarithmic.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	logarithmic.Y.Min = max(logarithmic.Y.Min, leastGB)
	return save([][]*plot.Plot{{linear}, {logarithmic}}, path)
}

// leastGB is where a logarithmic axis begins at the lowest.
const leastGB = .01

var lines = []struct {
	name  string
	color color.Color
	of    func(sample) float64
}{
	{"limit asked for", orange, func(s sample) float64 { return s.allocated[off] }},
	{"allocated by sizing", blue, func(s sample) float64 { return s.allocated[apply] }},
	{"used", green, func(s sample) float64 { return s.used[apply] }},
}

// over draws the lines over time.
func (r result) over() (*plot.Plot, error) {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = "minutes", "GB"
	p.Add(plotter.NewGrid())
	for _, l := range lines {
		points := make(plotter.XYs, len(r.samples))
		for i, s := range r.samples {
			points[i] = plotter.XY{X: s.at.Minutes(), Y: max(l.of(s), leastGB)}
		}
		drawn, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		drawn.Color, drawn.Width = l.color, vg.Points(1.5)
		p.Add(drawn)
		p.Legend.Add(l.name, drawn)
	}
	p.Legend.Top, p.Legend.Padding = true, vg.Points(3)
	p.Legend.YOffs = -vg.Centimeter // below the highest line
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
