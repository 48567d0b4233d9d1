// Command curve draws what an event costs by how many rules judge it:
//
//	go test -run '^$' -bench Rules -count 5 ./detector | go run ./hack/curve > docs/rules-cost.svg
package main

import (
	"bufio"
	"cmp"
	"fmt"
	"html/template"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
)

// point is the median cost of a number of rules.
type point struct {
	rules int
	ns    float64
}

// curve is the points of one engine.
type curve struct {
	Name   string
	points []point
}

func main() {
	if err := draw(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "curve: %v\n", err)
		os.Exit(1)
	}
}

var line = regexp.MustCompile(`^BenchmarkRules/rules=(\d+)/engine=(\w+)\S*\s.*?([0-9.]+) ns/event`)

// read takes the figures out of what go test prints.
func read(r io.Reader) ([]curve, error) {
	figures := map[string]map[int][]float64{}
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		m := line.FindStringSubmatch(scanner.Text())
		if m == nil {
			continue
		}
		rules, _ := strconv.Atoi(m[1])
		ns, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return nil, err
		}
		if figures[m[2]] == nil {
			figures[m[2]] = map[int][]float64{}
		}
		figures[m[2]][rules] = append(figures[m[2]][rules], ns)
	}
	if err := scanner.Err(); err != nil {
		return nil, err
	}
	var curves []curve
	for name, by := range figures {
		c := curve{Name: name}
		for rules, all := range by {
			slices.Sort(all)
			c.points = append(c.points, point{rules, all[len(all)/2]})
		}
		slices.SortFunc(c.points, func(a, b point) int { return cmp.Compare(a.rules, b.rules) })
		curves = append(curves, c)
	}
	slices.SortFunc(curves, func(a, b curve) int { return cmp.Compare(len(b.points), len(a.points)) })
	if len(curves) == 0 {
		return nil, fmt.Errorf("no line of BenchmarkRules on stdin")
	}
	return curves, nil
}

// The picture's measures, and the ranges of its two logarithmic scales.
const (
	width, height            = 640, 400
	left, right, top, bottom = 90, 150, 30, 60
	fewest, most             = 1, 1000
	least, greatest          = 10, 100_000
)

func x(rules int) float64 {
	return left + (width-left-right)*math.Log10(float64(rules)/fewest)/math.Log10(most/fewest)
}

func y(ns float64) float64 {
	return height - bottom - (height-top-bottom)*math.Log10(ns/least)/math.Log10(greatest/least)
}

// mark is a text or a dot at a place.
type mark struct {
	X, Y float64
	Text string
}

type picture struct {
	Width, Height            int
	Left, Right, Top, Bottom float64
	Columns, Rows            []mark
	Curves                   []drawn
}

type drawn struct {
	Name, Path, Color string
	Dots              []mark
	End               mark
}

var colors = []string{"#0b6e99", "#b3541e", "#5b7f3b"}

func draw(r io.Reader, w io.Writer) error {
	curves, err := read(r)
	if err != nil {
		return err
	}
	p := picture{Width: width, Height: height, Left: left, Right: width - right, Top: top, Bottom: height - bottom}
	for n := fewest; n <= most; n *= 10 {
		p.Columns = append(p.Columns, mark{x(n), height - bottom, strconv.Itoa(n)})
	}
	for ns := least; ns <= greatest; ns *= 10 {
		p.Rows = append(p.Rows, mark{left, y(float64(ns)), nanoseconds(float64(ns))})
	}
	for i, c := range curves {
		d := drawn{Name: c.Name, Color: colors[i%len(colors)]}
		for j, at := range c.points {
			word := "L"
			if j == 0 {
				word = "M"
			}
			d.Path += fmt.Sprintf("%s%.1f %.1f ", word, x(at.rules), y(at.ns))
			d.Dots = append(d.Dots, mark{x(at.rules), y(at.ns), nanoseconds(at.ns)})
		}
		d.End = d.Dots[len(d.Dots)-1]
		p.Curves = append(p.Curves, d)
	}
	return svg.Execute(w, p)
}

func nanoseconds(ns float64) string {
	if ns >= 1000 {
		return strconv.FormatFloat(ns/1000, 'g', 3, 64) + " µs"
	}
	return strconv.FormatFloat(ns, 'g', 3, 64) + " ns"
}

var svg = template.Must(template.New("svg").Parse(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{.Width}} {{.Height}}" font-family="sans-serif" font-size="12">
<rect width="{{.Width}}" height="{{.Height}}" fill="#ffffff"/>
{{range .Rows}}<path d="M{{.X}} {{.Y}} H{{$.Right}}" stroke="#dddddd"/><text x="{{.X}}" y="{{.Y}}" dx="-8" dy="4" text-anchor="end">{{.Text}}</text>
{{end}}{{range .Columns}}<path d="M{{.X}} {{$.Top}} V{{.Y}}" stroke="#eeeeee"/><text x="{{.X}}" y="{{.Y}}" dy="18" text-anchor="middle">{{.Text}}</text>
{{end}}<text x="{{.Left}}" y="{{.Bottom}}" dy="42">rules, at once on every event</text>
<text x="{{.Left}}" y="{{.Top}}" dx="-70" dy="-12">time of an event</text>
{{range .Curves}}{{$c := .}}<path d="{{.Path}}" fill="none" stroke="{{.Color}}" stroke-width="2"/>
{{range .Dots}}<circle cx="{{.X}}" cy="{{.Y}}" r="4" fill="{{$c.Color}}"/><text x="{{.X}}" y="{{.Y}}" dx="6" dy="16" fill="{{$c.Color}}">{{.Text}}</text>
{{end}}<text x="{{.End.X}}" y="{{.End.Y}}" dx="12" dy="-2" font-weight="bold" fill="{{.Color}}">{{.Name}}</text>
{{end}}</svg>
`))
