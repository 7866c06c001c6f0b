package credentials_test

import (
	"encoding/json"
	"encoding/xml"
	"testing"

	"hoptech.co.nz/flashd/internal/credentials"
)

func TestSecretIsNotShown(t *testing.T) {
	s := credentials.Secret("s3cret-one")
	if s.Reveal() != "s3cret-one" {
		t.Errorf("Reveal returns %q", s.Reveal())
	}
	type holder struct {
		A credentials.Secret
		B []credentials.Secret
		C map[string]credentials.Secret
	}
	for _, v := range []any{
		s, &holder{s, []credentials.Secret{s}, map[string]credentials.Secret{"x": s}},
		holder{A: s},
		wantA, &wantA,
		[]credentials.Credentials{wantA},
		credentials.ServerConfig{Token: s},
		credentials.DeriveConfig{Salt: s},
	} {
		noSecret(t, v)
		noSecret(t, logged(v))
		if _, ok := v.(credentials.ServerConfig); ok {
			continue // has a function, which JSON cannot hold
		}
		noSecret(t, string(must(json.Marshal(v))(t)))
	}
	type element struct{ A credentials.Secret }
	noSecret(t, string(must(xml.Marshal(element{s}))(t)))
	if got := s.String() + s.GoString(); got != "[redacted][redacted]" {
		t.Errorf("shown as %q", got)
	}
}

func TestSourcesAreNotShown(t *testing.T) {
	csv := writeFile(t, "device_id,mqtt_user,mqtt_password\n"+unitA+","+unitA+",s3cret-one\n", 0o600)
	for _, s := range []credentials.Source{
		must(credentials.NewServer(credentials.ServerConfig{BaseURL: "https://config.example.com", Token: token}))(t),
		must(credentials.NewDerive(credentials.DeriveConfig{Salt: salt}))(t),
		must(credentials.NewCSV(csv))(t),
	} {
		noSecret(t, s)
		noSecret(t, struct{ Source credentials.Source }{s})
		noSecret(t, struct{ source credentials.Source }{s})
		noSecret(t, logged(s))
	}
}
