package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"hoptech.co.nz/flashd/internal/credentials"
)

// A gate decides who may change something over one listener.
type gate func(change http.HandlerFunc) http.HandlerFunc

// open lets everybody pass: only the owner of the control socket can open it.
func open(change http.HandlerFunc) http.HandlerFunc { return change }

const (
	// changesPerSecond is more than people do.
	changesPerSecond = 5
	changesAtOnce    = 20
	// wrongPerSecond is enough for a token that was mistyped, and too little to
	// find one out by trying.
	wrongPerSecond = 1
	wrongAtOnce    = 10
)

// withToken lets those pass who bring the token as their bearer token; without
// a token there is, nobody.
func withToken(token credentials.Secret) gate {
	if token == "" {
		return notOverTheNetwork
	}
	changes, wrong := newPace(changesPerSecond, changesAtOnce), newPace(wrongPerSecond, wrongAtOnce)
	want := sha256.Sum256([]byte(token.Reveal()))
	return func(change http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			// Of equal length, so that the time it takes tells nothing.
			got := sha256.Sum256([]byte(bearer(r)))
			right := subtle.ConstantTimeCompare(got[:], want[:]) == 1
			switch {
			// Who has tried too many is not told when one is right.
			case right && wrong.of(r).Tokens() < 1, !right && !wrong.of(r).Allow(), right && !changes.of(r).Allow():
				tooMany(w)
			case !right:
				w.Header().Set("WWW-Authenticate", `Bearer realm="flashd"`)
				fail(w, http.StatusUnauthorized, "this change wants the station's token, and got none or another one",
					"Send it as Authorization: Bearer TOKEN. It is in the file that api.token_file of flashd.yaml names.")
			default:
				change(w, r)
			}
		}
	}
}

// bearer is the bearer token of a request, "" if it has none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// notOverTheNetwork answers on TCP where there is no token to ask for.
func notOverTheNetwork(http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusForbidden, "nothing can be changed over the network, since this station has no token",
			"On the station itself, use flashd rework. To allow it from the board, set api.token_file in flashd.yaml.")
	}
}
