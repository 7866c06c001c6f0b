package web

import (
	_ "embed" // for the description
	"net/http"
)

// description is the API in OpenAPI 3.0. The tests hold the handlers to it.
//
//go:embed openapi.yaml
var description []byte

func describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(description) // a client that has gone needs no answer
}
