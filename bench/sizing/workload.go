package main

import (
	"embed"
	"math"
	"math/rand/v2"
	"path"
	"strings"
)

//go:embed workload
var sources embed.FS

// shape is how a function's inputs are distributed.
type shape struct {
	name string
	// size is an input's, from what is usual and how much of the replay is over
	// (0 to 1).
	size func(rng *rand.Rand, usual float64, over float64) float64
}

var (
	// steady inputs are all about the same.
	steady = shape{"steady", func(rng *rand.Rand, usual, _ float64) float64 { return usual * (.95 + .1*rng.Float64()) }}
	// varying inputs are mostly small, and seldom several times as large.
	varying = shape{"varying", func(rng *rand.Rand, usual, _ float64) float64 {
		return usual * min(math.Exp(.5*rng.NormFloat64()), 4)
	}}
	// bimodal inputs are of two kinds, one in twelve eight times as large.
	bimodal = shape{"bimodal", func(rng *rand.Rand, usual, _ float64) float64 {
		if rng.IntN(12) == 0 {
			usual *= 8
		}
		return usual * (.9 + .2*rng.Float64())
	}}
	// growing inputs are six times as large in the end.
	growing = shape{"growing", func(rng *rand.Rand, usual, over float64) float64 {
		return usual * (1 + 5*over) * (.95 + .1*rng.Float64())
	}}
	// leaking functions keep what they are given; the inputs are steady.
	leaking = shape{"leaking", steady.size}
)

// entry is a function of the workload.
type entry struct {
	// file in workload; its directory is the language.
	file string
	// asked is the MemorySize that its owner set.
	asked int
	// weight is its share of the arrivals.
	weight float64
	usual  float64
	shape  shape
}

// workload is made of what functions commonly do. The amounts asked for are
// those that people set: the next of the usual numbers that never failed.
var workload = []entry{
	{"python/json_orders.py", 1024, 2, 400, steady},
	{"python/csv_report.py", 1024, 1, 2500, varying},
	{"python/png_chart.py", 2048, 1, 900, varying},
	{"python/ppm_thumbnail.py", 1536, 2, 512, varying},
	{"python/gzip_logs.py", 1024, 1, 4000, varying},
	{"python/lzma_backup.py", 2048, 1, 10_000, steady},
	{"python/bz2_archive.py", 1024, 1, 8_000, varying},
	{"python/graph_routes.py", 1769, 1, 2_500, varying},
	{"python/page_rank.py", 2048, 1, 2_000, varying},
	{"python/html_invoice.py", 512, 3, 800, steady},
	{"python/sha_manifest.py", 1024, 1, 20_000_000, varying},
	{"python/password_check.py", 1769, 2, 25_000, steady},
	{"python/regex_logs.py", 1024, 1, 2_500, varying},
	{"python/file_sort.py", 1536, 1, 8_000, varying},
	{"python/sqlite_report.py", 2048, 1, 5_000, varying},
	{"python/markdown_page.py", 512, 2, 800, steady},
	{"python/matrix_forecast.py", 3008, 1, 45, varying},
	{"python/leaky_cache.py", 1536, 2, 1_500_000, leaking},
	{"python/bimodal_photos.py", 3008, 2, 600, bimodal},
	{"python/growing_index.py", 2048, 1, 400, growing},
	{"python/zip_export.py", 1024, 1, 20_000, varying},
	{"python/text_diff.py", 512, 1, 250, varying},
	{"python/risk_simulation.py", 3008, 1, 1_000, steady},
	{"python/sensor_window.py", 2048, 1, 500_000, varying},
	{"nodejs/json_events.js", 1024, 2, 3_000, varying},
	{"nodejs/gzip_pages.js", 1024, 1, 8_000, varying},
	{"nodejs/brotli_assets.js", 1536, 1, 8_000, varying},
	{"nodejs/png_badge.js", 1024, 2, 300, steady},
	{"nodejs/resize_photo.js", 3008, 1, 1_500, varying},
	{"nodejs/sign_documents.js", 1024, 2, 2_000_000, varying},
	{"nodejs/scrypt_login.js", 1769, 2, 8192, shape{"steady", func(_ *rand.Rand, usual, _ float64) float64 { return usual }}}, // a power of two
	{"nodejs/regex_addresses.js", 1024, 1, 2_500, varying},
	{"nodejs/html_listing.js", 512, 3, 2_000, steady},
	{"nodejs/maze_path.js", 2048, 1, 250, varying},
	{"nodejs/file_lines.js", 1024, 1, 6_000, varying},
	{"nodejs/leaky_listeners.js", 1536, 2, 1_500_000, leaking},
	{"nodejs/bimodal_csv.js", 2048, 2, 2_000, bimodal},
	{"nodejs/growing_sessions.js", 2048, 1, 3_000, growing},
	{"nodejs/sort_numbers.js", 1536, 1, 60_000, varying},
	{"nodejs/search_words.js", 1024, 1, 1_500, varying},
	{"nodejs/merge_files.js", 2048, 1, 30_000_000, varying},
}

// name is the function's, without its twin's suffix.
func (e entry) name() string {
	file := path.Base(e.file)
	return strings.ReplaceAll(strings.TrimSuffix(file, path.Ext(file)), "_", "-")
}

// family is the language as runtimes call it.
func (e entry) family() string { return path.Dir(e.file) }

// handler is the function's in its package.
func (e entry) handler() string {
	file := path.Base(e.file)
	return strings.TrimSuffix(file, path.Ext(file)) + ".handler"
}

// files are what its package is made of, by name.
func (e entry) files() (map[string][]byte, error) {
	content, err := sources.ReadFile(path.Join("workload", e.file))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{path.Base(e.file): content}
	if e.family() == "nodejs" {
		files["random.js"], err = sources.ReadFile("workload/nodejs/random.js")
	}
	return files, err
}
