package main

import (
	"fmt"
	"html/template"
	"io"
	"strings"
)

// The picture's measures.
const (
	width, height            = 640, 300
	left, right, top, bottom = 70, 20, 30, 50
	mebibyte                 = 1 << 20
	highest                  = 768 // MiB, the top of the scale
	step                     = 128 // MiB, between lines
)

type line struct {
	Y    float64
	Text string
}

// draw draws resident memory over time.
func draw(w io.Writer, samples []sample) error {
	end := samples[len(samples)-1].Seconds
	y := func(rss float64) float64 {
		return height - bottom - (height-top-bottom)*rss/(highest*mebibyte)
	}
	var path strings.Builder
	for i, s := range samples {
		word := "L"
		if i == 0 {
			word = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f ", word, left+(width-left-right)*s.Seconds/end, y(float64(s.RSS)))
	}
	var lines []line
	for mib := 0; mib <= highest; mib += step {
		lines = append(lines, line{y(float64(mib * mebibyte)), fmt.Sprintf("%d MiB", mib)})
	}
	return svg.Execute(w, struct {
		Width, Height, Left, Right, Bottom, Top int
		Lines                                   []line
		Path, End                               string
	}{width, height, left, width - right, height - bottom, top, lines, path.String(), fmt.Sprintf("%.0f minutes", end/60)})
}

var svg = template.Must(template.New("svg").Parse(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{.Width}} {{.Height}}" font-family="sans-serif" font-size="12">
<rect width="{{.Width}}" height="{{.Height}}" fill="#ffffff"/>
{{range .Lines}}<path d="M{{$.Left}} {{.Y}} H{{$.Right}}" stroke="#dddddd"/><text x="{{$.Left}}" y="{{.Y}}" dx="-8" dy="4" text-anchor="end">{{.Text}}</text>
{{end}}<text x="{{.Left}}" y="{{.Top}}" dy="-12">resident memory</text>
<text x="{{.Left}}" y="{{.Bottom}}" dy="20">0</text><text x="{{.Right}}" y="{{.Bottom}}" dy="20" text-anchor="end">{{.End}}</text>
<path d="{{.Path}}" fill="none" stroke="#0b6e99" stroke-width="1.5"/>
</svg>
`))
