package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"hoptech.co.nz/flashd/internal/nearest"
)

// unknown notes a key that the section typ, at path, does not have. Its value
// is never shown: it may be a secret.
func (f *file) unknown(key ast.Node, typ reflect.Type, path, name string) {
	at := join(path, name)
	switch secret, ok := secretKeys[at]; {
	case ok:
		f.problem(key, at, "secrets do not belong in this file; write it into a file of its own and name that in %s_file, or name an environment variable in %s_env", secret, secret)
	default:
		f.problem(key, at, "there is no such key%s", suggestion(typ, path, name))
	}
}

// secretKeys are keys that somebody might give a secret, and what the keys to
// use instead begin with.
var secretKeys = map[string]string{
	"token": "token", "salt": "salt", "api.token": "token",
	"credentials.token": "token", "credentials.salt": "salt",
	"credentials.server.token": "token", "credentials.server.bearer_token": "token", "credentials.server.password": "token", "credentials.server.api_key": "token",
	"credentials.derive.salt": "salt", "credentials.derive.secret": "salt", "credentials.derive.secret_salt": "salt",
}

// suggestion returns "; did you mean …?" for a key that is nearly name in the
// same section, or is in another one.
func suggestion(typ reflect.Type, path, name string) string {
	best := nearest.Word(name, keysOf(typ, "", false))
	if best != "" {
		best = join(path, best)
	} else {
		for _, key := range keysOf(reflect.TypeFor[Config](), "", true) {
			if key[strings.LastIndexByte(key, '.')+1:] == name {
				best = key
				break
			}
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// keysOf returns the keys of the struct typ, and with deep those of the structs
// in it, as paths that begin with prefix.
func keysOf(typ reflect.Type, prefix string, deep bool) []string {
	var keys []string
	for i := range typ.NumField() {
		field := typ.Field(i)
		key := join(prefix, field.Tag.Get("yaml"))
		keys = append(keys, key)
		if deep && field.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(field.Type, key, deep)...)
		}
	}
	return keys
}
