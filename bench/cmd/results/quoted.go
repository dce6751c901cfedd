package main

import (
	_ "embed"
	"encoding/json"
	"math"
	"strconv"
)

//go:embed quoted.json
var quotedJSON []byte

// quotedFigures are figures of other systems' own code, which no run here measures.
type quotedFigures struct {
	Method  string `json:"method"`
	Systems []struct {
		Name    string `json:"name"`
		Commit  string `json:"commit"`
		Here    string `json:"here"` // our baseline of the same kind, if any
		Figures []struct {
			N      int     `json:"n"`
			D      int     `json:"d"`
			Bytes  float64 `json:"bytes"`
			Rounds int     `json:"rounds"`
		} `json:"figures"`
	} `json:"systems"`
}

func quoted() quotedFigures {
	var q quotedFigures
	if err := json.Unmarshal(quotedJSON, &q); err != nil {
		panic(err) // the file is our own
	}
	return q
}

func (r report) quotedTable(d document) {
	q := quoted()
	d.line("%s On the very sets of the originals the baselines here send what those do: negentropy and the tree to the byte, the rateless IBLT within 3 %% (the tests of bench/internal/baseline).", q.Method)
	rows := [][]string{{"n", "d", "original", "bytes", "rounds", "", "baseline here", "rounds here", "original / here", "original / least of ours"}}
	for _, system := range q.Systems {
		for _, f := range system.Figures {
			w := workload{"scattered", strconv.Itoa(f.N), strconv.Itoa(f.D)}
			own, _ := split(r.at(w).points)
			least := leastOf(own, metadata)
			if !least.has(metadata) {
				continue // that size was not measured
			}
			here := r.system(w, system.Here)
			row := []string{count(w.n), count(w.d), system.Name + " at " + system.Commit, bytesOf(f.Bytes), strconv.Itoa(f.Rounds), "*quoted*"}
			versus := "–"
			if here.has(metadata) {
				versus = digits(f.Bytes / here.median(metadata))
			}
			rows = append(rows, append(row, here.cell(metadata), here.cell("rounds/op"), versus, digits(f.Bytes/least.median(metadata))))
		}
	}
	d.table(rows)
}

// bound is the least number of bytes that tell d of n apart: log2 of the binomial
// coefficient.
func bound(n, d float64) float64 {
	log := func(x float64) float64 { v, _ := math.Lgamma(x + 1); return v }
	return math.Ceil((log(n) - log(d) - log(n-d)) / math.Ln2 / 8)
}
