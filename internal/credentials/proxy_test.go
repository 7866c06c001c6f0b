package credentials_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"hoptech.co.nz/flashd/internal/credentials"
)

// A proxy must not get to read the token. net/http reads the environment once, so
// each case has a process of its own.
func TestProxyOfTheEnvironment(t *testing.T) {
	if url := os.Getenv("FLASHD_TEST_URL"); url != "" {
		_, err := credentials.NewServer(credentials.ServerConfig{BaseURL: url, Token: token, AllowPlainHTTP: true})
		fmt.Println("NewServer:", err)
		return
	}
	const proxied = `config server: URL "http://config.example.com" would go through the proxy proxy.example:3128 of the environment variable HTTP_PROXY`
	for _, tc := range []struct{ url, env, want string }{
		{"http://config.example.com", "HTTP_PROXY=http://eve:s3cret-one@proxy.example:3128", proxied},
		{"http://config.example.com", "http_proxy=proxy.example:3128", proxied},
		{"http://config.example.com", "NO_PROXY=config.example.com", "<nil>"},
		{"http://127.0.0.1:8080", "HTTP_PROXY=http://proxy.example:3128", "<nil>"},
		{"https://config.example.com", "HTTPS_PROXY=http://proxy.example:3128", "<nil>"},
	} {
		t.Run(tc.url+" "+tc.env, func(t *testing.T) {
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxyOfTheEnvironment$")
			child.Env = []string{"FLASHD_TEST_URL=" + tc.url, tc.env}
			if strings.HasPrefix(tc.env, "NO_PROXY") {
				child.Env = append(child.Env, "HTTP_PROXY=http://proxy.example:3128")
			}
			out, err := child.CombinedOutput()
			if err != nil || !strings.Contains(string(out), tc.want) {
				t.Errorf("%v: %s, want %s", err, out, tc.want)
			}
			noSecret(t, errors.New(string(out)))
		})
	}
}
