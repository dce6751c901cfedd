package main

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bubble is a filter in the plot of size against build time.
type bubble struct {
	name        string
	size, build float64 // bits and seconds per key
	ask         float64 // seconds per key
	raw         bool
}

// bubbles are the filters of a rate at the largest n that keep it and deny nothing.
func (r report) bubbles(bits string) []bubble {
	var all []bubble
	n := r["peers"].largest("n")
	for _, p := range r.built(bits, n) {
		q := r["quality"].one("/impl:%q /filter:%q /bits:%s /n:%s", p.labels["impl"], p.labels["filter"], bits, n)
		ask := r.bestAsk(p)
		if !q.has("bits/key") || !keeps(q) || !ask.has(perKey) {
			continue
		}
		all = append(all, bubble{p.labels["filter"], q.median("bits/key"), p.median(perKey), ask.median(perKey), p.labels["impl"] == "raw"})
	}
	return all
}

func (r report) paretoPanels() []panel {
	var all []panel
	n := r["peers"].largest("n")
	for _, bits := range rates() {
		all = append(all, panel{
			title: fmt.Sprintf("2^-%s, n = %s; size and figure: query time", bits, count(n)), y: "time to build, per key",
			draw: func(p *plot.Plot, t theme) {
				p.X.Label.Text = "bits per key (information bound: " + bits + ")"
				drawBubbles(p, t, r.bubbles(bits), number(bits))
			},
		})
	}
	return all
}

func (r report) picturePareto(d document) {
	d.picture("pareto", "Size against build time of filters; the area of a mark grows with the time of a query, raw libraries are hollow; lower left is better")
}

// drawBubbles draws the filters and, dashed, those that no other beats in both.
func drawBubbles(p *plot.Plot, t theme, all []bubble, bits float64) {
	p.Y.Scale = plot.LogScale{}
	p.Y.Tick.Marker = logTicks(tickScaled("s"))
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = bits, bits, math.Inf(1), 0
	for _, b := range all {
		p.X.Max = max(p.X.Max, b.size)
		p.Y.Min, p.Y.Max = min(p.Y.Min, b.build), max(p.Y.Max, b.build)
	}
	if len(all) == 0 {
		p.X.Max, p.Y.Min, p.Y.Max = 2*bits, 1e-9, 1e-6
	}
	p.X.Min, p.X.Max = bits-0.02*bits, p.X.Max+0.25*(p.X.Max-bits)
	p.Y.Min, p.Y.Max = p.Y.Min/1.5, p.Y.Max*1.6
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = t.grid, t.grid
	p.Add(grid, bubbles{all, t})
}

// bubbles is a plotter.
type bubbles struct {
	all []bubble
	theme
}

// Plot draws the marks, the largest first, and their names.
func (b bubbles) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	var used []vg.Rectangle
	for _, v := range b.all {
		at := vg.Point{X: toX(v.size), Y: toY(v.build)}
		s := styleOf(v.name)
		ink := b.palette[s.hue]
		radius := vg.Points(3.2 * math.Sqrt(v.ask/10e-9)) // 10 ns have 3.2 points
		radius = min(max(radius, vg.Points(2)), vg.Points(22))
		circle := func(r vg.Length) vg.Path {
			var path vg.Path
			path.Move(vg.Point{X: at.X + r, Y: at.Y})
			path.Arc(at, r, 0, 2*math.Pi)
			path.Close()
			return path
		}
		if v.raw {
			c.SetLineStyle(draw.LineStyle{Color: ink, Width: vg.Points(1.4)})
			c.Stroke(circle(radius))
		} else {
			c.SetColor(faded(ink))
			c.Fill(circle(radius))
			c.SetLineStyle(draw.LineStyle{Color: ink, Width: vg.Points(1)})
			c.Stroke(circle(radius))
		}
		name := v.name
		if v.raw {
			name = "raw " + name
		}
		used = b.name(c, used, name+" "+seconds(v.ask), at, radius+vg.Points(3), ink)
	}
}

// name writes beside a mark, where no other name is.
func (b bubbles) name(c draw.Canvas, used []vg.Rectangle, name string, at vg.Point, beside vg.Length, ink color.Color) []vg.Rectangle {
	look := text.Style{Color: ink, Font: sans(9.5), Handler: plot.DefaultTextHandler, XAlign: text.XLeft, YAlign: text.YCenter}
	width, height := look.Width(name), vg.Points(11)
	for i := range 40 {
		// To the right at first, then ever further up and down.
		dy := vg.Length((i+1)/2) * vg.Points(6)
		if i%2 == 1 {
			dy = -dy
		}
		x := at.X + beside
		if x+width > c.Max.X {
			x = at.X - beside - width
		}
		box := vg.Rectangle{Min: vg.Point{X: x, Y: at.Y + dy - height/2}, Max: vg.Point{X: x + width, Y: at.Y + dy + height/2}}
		if overlaps(box, used) || box.Min.Y < c.Min.Y || box.Max.Y > c.Max.Y {
			continue
		}
		if dy != 0 {
			c.StrokeLine2(draw.LineStyle{Color: ink, Width: vg.Points(0.5)}, at.X, at.Y, x, at.Y+dy)
		}
		c.FillText(look, vg.Point{X: x, Y: at.Y + dy}, name)
		return append(used, box)
	}
	return used
}

func overlaps(a vg.Rectangle, all []vg.Rectangle) bool {
	for _, b := range all {
		if a.Min.X < b.Max.X && b.Min.X < a.Max.X && a.Min.Y < b.Max.Y && b.Min.Y < a.Max.Y {
			return true
		}
	}
	return false
}

func faded(c color.Color) color.Color {
	r, g, b, _ := c.RGBA()
	return color.NRGBA{R: uint8(r >> 8), G: uint8(g >> 8), B: uint8(b >> 8), A: 110}
}

func (r report) segmentPanels() []panel {
	s := r["segments"]
	n := s.largest("n")
	title := func(what string) string { return fmt.Sprintf("Bytes saved %s, n = %s", what, count(n)) }
	heat := func(name, strategy string) panel {
		return panel{title: title(name), x: "shape of time", y: "divergence", draw: func(p *plot.Plot, t theme) { r.drawHeat(p, t, strategy) }}
	}
	return []panel{heat("at a first sync", first), heat("when synced before", again)}
}

func (r report) pictureSegments(d document) {
	d.picture("segments", "Share of the lesser filter's bytes that segments save, by shape of time and divergence: at a first sync, and between nodes that synced before")
}

func (r report) drawHeat(p *plot.Plot, t theme, strategy string) {
	s := r["segments"].where("/n:%s", r["segments"].largest("n"))
	shapes, divergences := s.labels("shape"), s.labels("divergence")
	slices.Reverse(divergences) // the first at the top
	p.NominalX(shapes...)
	p.NominalY(divergences...)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, float64(len(shapes))-0.5, -0.5, float64(len(divergences))-0.5
	h := heat{theme: t}
	for _, v := range r.largestSavings() {
		for x := range shapes {
			for y := range divergences {
				if v.shape == shapes[x] && v.divergence == divergences[y] && finite(v.saved(strategy)) {
					h.cells = append(h.cells, heatCell{float64(x), float64(y), v.saved(strategy)})
				}
			}
		}
	}
	p.Add(h)
}

// heat is a plotter of shares from -1 to 1, each written into its cell.
type heat struct {
	theme
	cells []heatCell
}

type heatCell struct{ x, y, share float64 }

// Plot draws the cells.
func (h heat) Plot(c draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&c)
	for _, v := range h.cells {
		left, right := toX(v.x-0.48), toX(v.x+0.48)
		low, high := toY(v.y-0.48), toY(v.y+0.48)
		end := h.warm
		if v.share < 0 {
			end = h.cold
		}
		weight := min(1, math.Abs(v.share))
		c.FillPolygon(mix(h.mid, end, weight), []vg.Point{{X: left, Y: low}, {X: right, Y: low}, {X: right, Y: high}, {X: left, Y: high}})
		ink := h.ink
		if weight > 0.6 {
			ink = rgb(0xffffff)
		}
		c.FillText(text.Style{Color: ink, Font: sans(10), Handler: plot.DefaultTextHandler, XAlign: text.XCenter, YAlign: text.YCenter},
			vg.Point{X: (left + right) / 2, Y: (low + high) / 2}, heatText(v.share))
	}
}

// heatText is a share in per cent, with a place where it would be a zero otherwise.
func heatText(share float64) string {
	places := 0
	if x := math.Abs(100 * share); 0.05 <= x && x < 1 {
		places = 1
	}
	text := fixed(100*share, places)
	if text == "-0" {
		text = "0"
	}
	return text + " %"
}

func mix(a, b color.RGBA, weight float64) color.Color {
	blend := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + weight*(float64(y)-float64(x)))) }
	return color.RGBA{R: blend(a.R, b.R), G: blend(a.G, b.G), B: blend(a.B, b.B), A: 255}
}
