package main

import (
	"image/color"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// theme is how plots look on a light or a dark page.
type theme struct {
	name             string
	paper, ink, grid color.Color
	palette          map[hue]color.Color
	cold, warm, mid  color.RGBA // ends and middle of the heat map
}

// hue is a colour of the palette of Okabe and Ito, which colour-blind readers can tell
// apart.
type hue int

const (
	black hue = iota
	orange
	sky
	green
	blue
	vermillion
	purple
	grey
)

func rgb(hex uint32) color.RGBA {
	return color.RGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 255}
}

func lightTheme() theme {
	return theme{
		name: "light", paper: rgb(0xffffff), ink: rgb(0x1f2328), grid: rgb(0xe1e4e8),
		palette: map[hue]color.Color{
			black: rgb(0x1f2328), orange: rgb(0xc98500), sky: rgb(0x3a9bdc), green: rgb(0x009e73),
			blue: rgb(0x0072b2), vermillion: rgb(0xd55e00), purple: rgb(0xb0578d), grey: rgb(0x6e7781),
		},
		cold: rgb(0xd55e00), mid: rgb(0xf6f8fa), warm: rgb(0x0072b2),
	}
}

func darkTheme() theme {
	return theme{
		name: "dark", paper: rgb(0x0d1117), ink: rgb(0xe6edf3), grid: rgb(0x2d333b),
		palette: map[hue]color.Color{
			black: rgb(0xe6edf3), orange: rgb(0xe69f00), sky: rgb(0x79c7f2), green: rgb(0x2fbf91),
			blue: rgb(0x4a9fe0), vermillion: rgb(0xf0803c), purple: rgb(0xd98bb8), grey: rgb(0x9aa4af),
		},
		cold: rgb(0xb04a00), mid: rgb(0x21262d), warm: rgb(0x1f78c1),
	}
}

// style is how one curve or point looks.
type style struct {
	hue    hue
	dashed bool
	glyph  draw.GlyphDrawer
}

// styleOf gives each system the same look in all plots: baselines are dashed.
func styleOf(name string) style {
	switch name {
	case "bloom":
		return style{grey, false, draw.CrossGlyph{}}
	case "xor", "xor8":
		return style{orange, false, draw.TriangleGlyph{}}
	case "fuse", "fuse8", "fuse16":
		return style{blue, false, draw.CircleGlyph{}}
	case "ribbon":
		return style{vermillion, false, draw.SquareGlyph{}}
	case "golomb":
		return style{sky, false, draw.PyramidGlyph{}}
	case "segmented", "scan":
		return style{green, false, draw.PlusGlyph{}}
	case "segmented-again":
		return style{green, true, draw.PlusGlyph{}}
	case "list":
		return style{purple, false, draw.BoxGlyph{}}
	case "riblt":
		return style{black, true, draw.CircleGlyph{}}
	case "negentropy":
		return style{purple, true, draw.SquareGlyph{}}
	case "mst":
		return style{orange, true, draw.PyramidGlyph{}}
	}
	return style{grey, true, draw.RingGlyph{}}
}

func (s style) line(t theme) draw.LineStyle {
	l := draw.LineStyle{Color: t.palette[s.hue], Width: vg.Points(1.6)}
	if s.dashed {
		l.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
	}
	return l
}

// sans is the font of all text; svgText names what stands for it elsewhere.
func sans(size float64) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
}
