package credentials_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hoptech.co.nz/flashd/internal/credentials"
)

// serve starts a config server that first gives the answers in line.
func serve(t testing.TB, line ...http.HandlerFunc) (*configServer, *httptest.Server) {
	api := &configServer{line: line}
	srv := httptest.NewServer(api)
	t.Cleanup(srv.Close)
	return api, srv
}

// serveTLS starts a config server that speaks TLS up to a version, or any if it is 0.
func serveTLS(t testing.TB, newest uint16) *httptest.Server {
	srv := httptest.NewUnstartedServer(&configServer{})
	srv.TLS = &tls.Config{MaxVersion: newest, MinVersion: tls.VersionTLS10}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshakes are meant to fail
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

func newServer(t testing.TB, c credentials.ServerConfig) credentials.Source {
	t.Helper()
	if c.Token == "" {
		c.Token = token
	}
	return must(credentials.NewServer(c))(t)
}

func TestServer(t *testing.T) {
	for _, path := range []string{"/api", "/api/"} {
		_, srv := serve(t)
		s := newServer(t, credentials.ServerConfig{BaseURL: srv.URL + path})
		if s.Name() != "server" {
			t.Errorf("name %q", s.Name())
		}
		if diff := cmp.Diff(wantA, must(s.Fetch(t.Context(), unitA))(t)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestServerWithPrivateCA(t *testing.T) {
	srv := serveTLS(t, 0)
	ca := writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})), 0o644)
	s := newServer(t, credentials.ServerConfig{BaseURL: srv.URL + "/api", CAFile: ca})
	if diff := cmp.Diff(wantA, must(s.Fetch(t.Context(), unitA))(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	ctx, cancel := context.WithCancel(t.Context())
	stranger := newServer(t, credentials.ServerConfig{BaseURL: srv.URL + "/api", OnRetry: func(error) { cancel() }})
	_, err := stranger.Fetch(ctx, unitA)
	wantError(t, err, "certificate")
	if !errors.Is(err, credentials.ErrUnavailable) {
		t.Errorf("a server that nobody vouches for: %v, want ErrUnavailable", err)
	}
}

func TestServerWantsTLS12(t *testing.T) {
	srv := serveTLS(t, tls.VersionTLS11)
	ca := writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})), 0o644)
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(t, credentials.ServerConfig{BaseURL: srv.URL + "/api", CAFile: ca, OnRetry: func(error) { cancel() }})
	_, err := s.Fetch(ctx, unitA)
	wantError(t, err, "protocol version")
}

// Promise 3, and answers that would leave a unit without a way to its broker.
func TestServerRefusals(t *testing.T) {
	change := func(from, to string) http.HandlerFunc {
		if !strings.Contains(answerA, from) {
			t.Fatalf("no %s in the answer", from)
		}
		return body(strings.Replace(answerA, from, to, 1))
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		kind   error
		want   string
	}{
		{"401", status(401), credentials.ErrUnauthorized, "401 Unauthorized"},
		{"403", status(403), credentials.ErrUnauthorized, "403 Forbidden"},
		{"404", status(404), credentials.ErrUnknownUnit, "404 Not Found"},
		{"400", status(400), credentials.ErrBadAnswer, "400 Bad Request"},
		{"409", status(409), credentials.ErrBadAnswer, "409 Conflict"},
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, credentials.ErrBadAnswer, "204"},
		{"another unit", change(`"device_id":"A1B2C3D4E5F6"`, `"device_id":"24DCC3000001"`), credentials.ErrBadAnswer, "for unit 24DCC3000001"},
		{"lower case", change(`"device_id":"A1B2C3D4E5F6"`, `"device_id":"a1b2c3d4e5f6"`), credentials.ErrBadAnswer, "device_id"},
		{"another user", change(`"mqtt_user":"A1B2C3D4E5F6"`, `"mqtt_user":"s3cret-one"`), credentials.ErrBadAnswer, "mqtt_user"},
		{"no password", change(passwordA, ""), credentials.ErrBadAnswer, "mqtt_password is empty"},
		{"password with line break", change(passwordA, `s3cret-one\n`), credentials.ErrBadAnswer, "mqtt_password"},
		{"password not UTF-8", change(passwordA, "s3cret-one\xff"), credentials.ErrBadAnswer, "mqtt_password"},
		{"password is a number", change(`"`+passwordA+`"`, "4711"), credentials.ErrBadAnswer, "mqtt_password has the wrong type"},
		{"host is a URL", change("mqtt.example.com", "mqtts://user@host"), credentials.ErrBadAnswer, "mqtt_host"},
		{"port 0", change("8883", "0"), credentials.ErrBadAnswer, "mqtt_port"},
		{"port 1.5", change("8883", "1.5"), credentials.ErrBadAnswer, "mqtt_port"},
		{"port empty", change("8883", `""`), credentials.ErrBadAnswer, "not a JSON object"},
		{"port 65536", change("8883", "65536"), credentials.ErrBadAnswer, "mqtt_port"},
		{"nothing", body(""), credentials.ErrBadAnswer, "not a JSON object"},
		{"a web page", body("<html>s3cret-one</html>"), credentials.ErrBadAnswer, "not a JSON object"},
		{"a list", body("[]"), credentials.ErrBadAnswer, "not a JSON object"},
		{"null", body("null"), credentials.ErrBadAnswer, "device_id"},
		{"two answers", body(answerA + answerA), credentials.ErrBadAnswer, "not a JSON object"},
		{"half an answer", body(answerA[:60]), credentials.ErrBadAnswer, "not a JSON object"},
		{"too much", body(strings.Repeat(" ", 64<<10) + answerA), credentials.ErrBadAnswer, "larger than 65536"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			api, srv := serve(t, tt.answer)
			s := newServer(t, credentials.ServerConfig{BaseURL: srv.URL + "/api"})
			c, err := s.Fetch(t.Context(), unitA)
			wantError(t, err, "unit "+unitA, tt.want)
			if !errors.Is(err, tt.kind) {
				t.Errorf("%v, want %v", err, tt.kind)
			}
			if c != (credentials.Credentials{}) || api.requests != 1 {
				t.Errorf("credentials %v after %d requests, want none after one", c, api.requests)
			}
		})
	}
}

func TestServerPortInQuotesOrNone(t *testing.T) {
	for from, want := range map[string]int{`"1883"`: 1883, `null`: 0} {
		_, srv := serve(t, body(strings.Replace(answerA, "8883", from, 1)))
		c, err := newServer(t, credentials.ServerConfig{BaseURL: srv.URL + "/api"}).Fetch(t.Context(), unitA)
		if err != nil || c.MQTTPort != want {
			t.Errorf("mqtt_port %s: %d, %v; want %d", from, c.MQTTPort, err, want)
		}
	}
}

func TestServerSendsTokenNowhereElse(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		thief, elsewhere := serve(t)
		_, srv := serve(t, status(code, "Location", elsewhere.URL+"/api/provision/"+unitA))
		s := newServer(t, credentials.ServerConfig{BaseURL: srv.URL + "/api"})
		_, err := s.Fetch(t.Context(), unitA)
		wantError(t, err, "redirects")
		if !errors.Is(err, credentials.ErrBadAnswer) || thief.requests > 0 {
			t.Errorf("%d: %v and %d requests elsewhere, want ErrBadAnswer and none", code, err, thief.requests)
		}
	}
}

func TestServerWrongToken(t *testing.T) {
	_, srv := serve(t)
	s := newServer(t, credentials.ServerConfig{BaseURL: srv.URL + "/api", Token: "s3cret-two"})
	if _, err := s.Fetch(t.Context(), unitA); !errors.Is(err, credentials.ErrUnauthorized) {
		t.Errorf("%v, want ErrUnauthorized", err)
	}
	api, srv := serve(t)
	if _, err := newServer(t, credentials.ServerConfig{BaseURL: srv.URL + "/api"}).Fetch(t.Context(), "../admin"); err == nil || api.requests > 0 {
		t.Errorf("device ID ../admin: %v after %d requests, want an error after none", err, api.requests)
	}
}

func TestNewServerRefuses(t *testing.T) {
	noPEM := writeFile(t, "s3cret-one", 0o644)
	const good = "https://config.example.com"
	for _, tt := range []struct {
		name string
		c    credentials.ServerConfig
		want string
	}{
		{"no URL", credentials.ServerConfig{Token: token}, "want one such as https://"},
		{"no scheme", credentials.ServerConfig{BaseURL: "config.example.com", Token: token}, "want one such as https://"},
		{"other scheme", credentials.ServerConfig{BaseURL: "ftp://config.example.com", Token: token}, "want one such as https://"},
		{"not a URL", credentials.ServerConfig{BaseURL: "https://s3cret-one:%zz@x", Token: token}, "cannot be read"},
		{"password in URL", credentials.ServerConfig{BaseURL: "https://me:s3cret-one@config.example.com", Token: token}, "use the token"},
		{"query", credentials.ServerConfig{BaseURL: good + "?key=s3cret-one", Token: token}, "query"},
		{"plain HTTP", credentials.ServerConfig{BaseURL: "http://config.example.com", Token: token}, "unencrypted"},
		{"plain HTTP to a like name", credentials.ServerConfig{BaseURL: "http://localhost.example.com", Token: token}, "unencrypted"},
		{"no token", credentials.ServerConfig{BaseURL: good}, "no token"},
		{"token of two lines", credentials.ServerConfig{BaseURL: good, Token: "s3cret-one\ns3cret-two"}, "line break"},
		{"CA file missing", credentials.ServerConfig{BaseURL: good, Token: token, CAFile: "/does/not/exist"}, "/does/not/exist"},
		{"CA file without one", credentials.ServerConfig{BaseURL: good, Token: token, CAFile: noPEM}, "no PEM certificate"},
	} {
		_, err := credentials.NewServer(tt.c)
		t.Run(tt.name, func(t *testing.T) { wantError(t, err, "config server", tt.want) })
	}
	for _, url := range []string{"http://localhost:8080", "http://127.0.0.1/api", "http://[::1]:80", "https://config.example.com/api/"} {
		if _, err := credentials.NewServer(credentials.ServerConfig{BaseURL: url, Token: token}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := credentials.NewServer(credentials.ServerConfig{BaseURL: "http://config.example.com", Token: token, AllowPlainHTTP: true}); err != nil {
		t.Error(err)
	}
}
