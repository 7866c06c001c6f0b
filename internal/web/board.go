package web

import (
	"embed"
	"net/http"
)

// The board is plain HTML, CSS and JavaScript, and asks no other host for anything.
//
//go:embed board
var board embed.FS

// assets are the files of the board by path.
var assets = map[string]http.Handler{
	"/{$}":         asset("index.html", "text/html; charset=utf-8"),
	"/board.css":   asset("board.css", "text/css; charset=utf-8"),
	"/board.js":    asset("board.js", "text/javascript; charset=utf-8"),
	"/favicon.svg": asset("favicon.svg", "image/svg+xml"),
}

func asset(name, kind string) http.Handler {
	data, err := board.ReadFile("board/" + name)
	if err != nil {
		panic(err) // the name is not one of the files embedded above
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(data)
	})
}
