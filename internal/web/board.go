package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"path"
)

// The pages are plain HTML, CSS and JavaScript, and ask no other host for
// anything. Their scripts get what they show from the API.
//
//go:embed board
var board embed.FS

// page is one of the pages.
type page struct {
	path  string // as http.ServeMux has it
	link  string // its address in the line with the links to all pages; "": it is not there
	title string
	name  string // board/NAME.html goes into the layout, with NAME.js
	style string
}

var pages = []page{
	{"/{$}", "/", "Board", "board", "board.css"},
	{"/units", "/units", "Units", "units", "pages.css"},
	{"/units/{id}", "", "Unit", "unit", "pages.css"},
	{"/attempts", "/attempts", "Attempts", "attempts", "pages.css"},
	{"/reworks", "/reworks", "Reworks", "reworks", "pages.css"},
	{"/releases", "/releases", "Releases", "releases", "pages.css"},
}

// kinds are the types of the files that pages ask for.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// assets are the pages and the files they ask for, by path.
var assets = makeAssets()

func makeAssets() map[string]http.Handler {
	all := map[string]http.Handler{}
	for _, p := range pages {
		all[p.path] = document(p.render(), "text/html; charset=utf-8")
	}
	files, err := board.ReadDir("board")
	must(err)
	for _, f := range files {
		if kind := kinds[path.Ext(f.Name())]; kind != "" {
			data, err := board.ReadFile("board/" + f.Name())
			must(err)
			all["/assets/"+f.Name()] = document(data, kind)
		}
	}
	return all
}

// render puts the page into the layout.
func (p page) render() []byte {
	layout, err := template.ParseFS(board, "board/layout.html")
	must(err)
	main, err := board.ReadFile("board/" + p.name + ".html")
	must(err)
	type link struct {
		Path, Title string
		Current     bool
	}
	var links []link
	for _, other := range pages {
		if other.link != "" {
			links = append(links, link{other.link, other.title, other == p})
		}
	}
	var out bytes.Buffer
	must(layout.Execute(&out, map[string]any{
		"Title": p.title, "Style": p.style, "Script": p.name + ".js", "Links": links, "Main": template.HTML(main),
	}))
	return out.Bytes()
}

// must is for what is embedded: nothing that happens later can change it.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func document(data []byte, kind string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(data)
	})
}
