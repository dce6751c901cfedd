package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// series is one curve of a panel: at each x a median and its interval.
type series struct {
	label string
	style style
	points
}

// points implement plotter.XYer.
type points []struct{ x, y, low, high float64 }

func (p points) Len() int                { return len(p) }
func (p points) XY(i int) (x, y float64) { return p[i].x, p[i].y }

// add appends the median of a point where a logarithmic axis has a place for it.
func (p *points) add(x float64, of point, unit string, scale float64) {
	s := of.summary(unit)
	if !of.has(unit) || s.Center <= 0 || x <= 0 {
		return
	}
	low, high := s.Lo*scale, s.Hi*scale
	if math.IsInf(low, 0) || math.IsInf(high, 0) || low <= 0 || math.IsNaN(low) || math.IsNaN(high) {
		low, high = s.Center*scale, s.Center*scale // fewer runs than an interval takes
	}
	*p = append(*p, struct{ x, y, low, high float64 }{x, s.Center * scale, low, high})
}

// panel is one pair of axes, both logarithmic.
type panel struct {
	title, x, y    string
	xTicks, yTicks func(float64) string
	curves         []series
	// draw, if set, adds what is to be seen instead of curves.
	draw func(p *plot.Plot, t theme)
}

const (
	panelWidth  = 380
	panelHeight = 330
	titleWidth  = 18 // left of the axes, for the title of the vertical one
	labelWidth  = 84 // right of the axes, for the names of curves
)

// figure draws panels side by side.
func figure(t theme, panels ...panel) ([]byte, error) {
	canvas := vgsvg.New(vg.Points(float64(panelWidth*len(panels))), vg.Points(panelHeight))
	whole := draw.New(canvas)
	whole.SetColor(t.paper)
	whole.Fill(whole.Rectangle.Path())
	for i, p := range panels {
		left := vg.Points(float64(i * panelWidth))
		right := vg.Points(float64((len(panels) - 1 - i) * panelWidth))
		if err := p.drawOn(draw.Crop(whole, left+6, -right-4, 6, -6), t); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, err
	}
	// Readers have other fonts of the same widths.
	svg := strings.ReplaceAll(out.String(), "font-family:Liberation Sans", "font-family:'Liberation Sans',Arial,Helvetica,sans-serif")
	return []byte(svg), nil
}

func (p panel) drawOn(c draw.Canvas, t theme) error {
	axes := plot.New()
	axes.Title.Text, axes.X.Label.Text = p.title, p.x
	axes.Title.Padding = vg.Points(8)
	decorate(axes, t)
	if p.draw != nil {
		p.draw(axes, t)
		axes.Draw(draw.Crop(c, titleWidth, 0, 0, 0))
		p.side(c, t)
		return nil
	}
	axes.X.Scale, axes.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.fit(axes)
	axes.X.Tick.Marker, axes.Y.Tick.Marker = logTicks(p.xTicks), logTicks(p.yTicks)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = t.grid, t.grid
	grid.Vertical.Width, grid.Horizontal.Width = vg.Points(0.5), vg.Points(0.5)
	axes.Add(grid)
	for i, s := range p.curves {
		// Beside one another the bars of curves that meet can be told apart.
		aside := vg.Points(1.5 * (float64(i) - float64(len(p.curves)-1)/2))
		if err := s.addTo(axes, t, aside); err != nil {
			return err
		}
	}
	p.side(c, t)
	c = draw.Crop(c, titleWidth, -vg.Points(labelWidth), 0, 0)
	axes.Draw(c)
	p.label(axes.DataCanvas(c), axes, t)
	return nil
}

// side writes the title of the vertical axis. The library's own makes it leave room
// above a logarithmic axis.
func (p panel) side(c draw.Canvas, t theme) {
	c.FillText(text.Style{
		Color: t.ink, Font: sans(11.5), Rotation: math.Pi / 2, Handler: plot.DefaultTextHandler, XAlign: text.XCenter, YAlign: text.YTop,
	}, vg.Point{X: c.Min.X, Y: c.Center().Y}, p.y)
}

func decorate(axes *plot.Plot, t theme) {
	axes.BackgroundColor = t.paper
	axes.Title.TextStyle.Color, axes.Title.TextStyle.Font = t.ink, sans(13)
	for _, axis := range []*plot.Axis{&axes.X, &axes.Y} {
		axis.Color, axis.Tick.Color = t.ink, t.ink
		axis.Label.TextStyle.Color, axis.Label.TextStyle.Font = t.ink, sans(11.5)
		axis.Tick.Label.Color, axis.Tick.Label.Font = t.ink, sans(10.5)
		axis.Label.Padding = vg.Points(4)
		axis.Padding = 0
	}
}

// fit sets the ranges: all that is shown, with a margin.
func (p panel) fit(axes *plot.Plot) {
	x0, x1, y0, y1 := math.Inf(1), 0.0, math.Inf(1), 0.0
	for _, s := range p.curves {
		for _, q := range s.points {
			x0, x1 = min(x0, q.x), max(x1, q.x)
			y0, y1 = min(y0, q.low), max(y1, q.high)
		}
	}
	if x1 == 0 {
		x0, x1, y0, y1 = 1, 10, 1, 10 // there is nothing to show
	}
	const margin = 1.12
	axes.X.Min, axes.X.Max = x0/margin, x1*margin
	axes.Y.Min, axes.Y.Max = y0/1.3, y1*1.3
}

func (s series) addTo(axes *plot.Plot, t theme, aside vg.Length) error {
	if len(s.points) == 0 {
		return nil
	}
	line := s.style.line(t)
	dots, err := plotter.NewScatter(s.points)
	if err != nil {
		return fmt.Errorf("%s: %w", s.label, err)
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: line.Color, Radius: vg.Points(2.8), Shape: s.style.glyph}
	curve, err := plotter.NewLine(s.points)
	if err != nil {
		return fmt.Errorf("%s: %w", s.label, err)
	}
	curve.LineStyle = line
	axes.Add(curve, bars{s.points, draw.LineStyle{Color: line.Color, Width: vg.Points(1)}, aside}, dots)
	return nil
}

// label writes the name of each curve at its right end, apart from the others.
func (p panel) label(c draw.Canvas, axes *plot.Plot, t theme) {
	type place struct {
		of   series
		at   vg.Length // where the curve ends
		y, x vg.Length
	}
	toX, toY := axes.Transforms(&c)
	var places []place
	for _, s := range p.curves {
		if len(s.points) > 0 {
			end := s.points[len(s.points)-1]
			y := toY(end.y)
			places = append(places, place{s, y, y, toX(end.x)})
		}
	}
	slices.SortStableFunc(places, func(a, b place) int { return int(1000 * (a.at - b.at)) })
	var wanted []float64
	for _, q := range places {
		wanted = append(wanted, float64(q.at))
	}
	for i, y := range spread(wanted, 12, float64(c.Min.Y)+6, float64(c.Max.Y)-2) {
		q := places[i]
		line := q.of.style.line(t)
		c.StrokeLine2(draw.LineStyle{Color: line.Color, Width: vg.Points(0.5)}, q.x+4, q.at, c.Max.X+10, vg.Length(y))
		c.FillText(text.Style{
			Color: line.Color, Font: sans(10.5), Handler: plot.DefaultTextHandler, XAlign: text.XLeft, YAlign: text.YCenter,
		}, vg.Point{X: c.Max.X + 12, Y: vg.Length(y)}, q.of.label)
	}
}

// spread moves ascending places apart by a gap at least, between two ends, and as
// little as it can from below.
func spread(wanted []float64, gap, low, high float64) []float64 {
	at := slices.Clone(wanted)
	for i := range at {
		at[i] = max(at[i], low)
		if i > 0 {
			at[i] = max(at[i], at[i-1]+gap)
		}
	}
	for i := len(at) - 1; i >= 0; i-- {
		at[i] = min(at[i], high-gap*float64(len(at)-1-i))
	}
	return at
}

// bars is a plotter of the intervals of points.
type bars struct {
	of    points
	line  draw.LineStyle
	aside vg.Length // of where the points are
}

// Plot draws a vertical bar with caps for each interval.
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	for _, v := range b.of {
		x, low, high := toX(v.x)+b.aside, toY(v.low), toY(v.high)
		if v.low == v.high {
			continue
		}
		c.StrokeLine2(b.line, x, low, x, high)
		for _, y := range []vg.Length{low, high} {
			c.StrokeLine2(b.line, x-vg.Points(1.5), y, x+vg.Points(1.5), y)
		}
	}
}

// logTicks labels the powers of ten, or 1, 2 and 5 of each where there are few.
type logTicks func(float64) string

// Ticks returns the ticks of a logarithmic axis.
func (l logTicks) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	few := math.Log10(high/low) < 2
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for m := 1.0; m < 10; m++ {
			v := m * math.Pow(10, e)
			if v < low || v > high {
				continue
			}
			tick := plot.Tick{Value: v}
			if m == 1 || few && (m == 2 || m == 5) {
				tick.Label = l(v)
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}
