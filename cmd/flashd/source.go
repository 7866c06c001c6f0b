package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/urfave/cli/v2"

	"hoptech.co.nz/flashd/internal/config"
	"hoptech.co.nz/flashd/internal/credentials"
)

func credentialsFlag() *cli.StringFlag {
	return &cli.StringFlag{
		Name:  "credentials",
		Usage: "where the unit's credentials come from, instead of what the configuration says: `SOURCE` is derive:SALTFILE, csv:FILE, server:URL, or demo for simulated units",
	}
}

func tokenFileFlag() *cli.StringFlag {
	return &cli.StringFlag{Name: "token-file", Usage: "`FILE` with the bearer token for --credentials server:URL (else from FLASHD_TOKEN)"}
}

// demo is the source of units that do not exist.
const demo config.Source = "demo"

// demoSalt is no secret: what is derived from it opens no broker.
const demoSalt = "demo salt of flashd: for simulated units only"

// setCredentials lets the command line choose the source.
func (s *settings) setCredentials(spec string) error {
	if spec == "" {
		return nil
	}
	kind, where, _ := strings.Cut(spec, ":")
	chosen := &s.Credentials
	chosen.Source = config.Source(kind)
	switch chosen.Source {
	case config.FromDerive:
		chosen.Derive.SaltFile, chosen.Derive.SaltEnv = where, ""
	case config.FromCSV:
		chosen.CSV.File = where
	case config.FromServer:
		chosen.Server.URL = where
		if s.token != "" {
			chosen.Server.TokenFile, chosen.Server.TokenEnv = s.token, ""
		} else if chosen.Server.TokenFile == "" {
			chosen.Server.TokenEnv = "FLASHD_TOKEN"
		}
	case demo:
		return nil
	default:
		where = "" // there is no such source
	}
	if where == "" {
		return usagef("--credentials %q: want derive:SALTFILE, csv:FILE, server:URL or demo", spec)
	}
	return nil
}

// source makes the source of credentials. Waiting is told each time that a
// config server does not answer.
func (s settings) source(waiting func(error)) (credentials.Source, error) {
	source, err := s.chosenSource(waiting)
	if err != nil {
		return nil, misconfigured(err)
	}
	return source, nil
}

func (s settings) chosenSource(waiting func(error)) (credentials.Source, error) {
	chosen := s.Credentials
	if s.simulate > 0 {
		chosen.Source = demo // a simulated unit never gets a real one's credentials
	}
	switch chosen.Source {
	case config.FromServer:
		return serverSource(chosen.Server, waiting)
	case config.FromDerive:
		salt, err := readSecret(chosen.Derive.SaltFile, chosen.Derive.SaltEnv)
		if err != nil {
			return nil, fmt.Errorf("salt: %w", err)
		}
		return credentials.NewDerive(credentials.DeriveConfig{Salt: salt, Host: chosen.Derive.MQTTHost, Port: chosen.Derive.MQTTPort})
	case config.FromCSV:
		source, err := credentials.NewCSV(chosen.CSV.File)
		if err != nil {
			return nil, fmt.Errorf("file of credentials: %w", err)
		}
		return source, nil
	case demo:
		if s.simulate == 0 && !simulated(s.port) {
			return nil, usagef("--credentials demo is for simulated units; a real one needs its own")
		}
		return credentials.NewDerive(credentials.DeriveConfig{Salt: demoSalt, Host: "mqtt.example.com", Port: 8883})
	default:
		return nil, withHint(exitUsage, fmt.Errorf("where the unit's credentials come from is not said"),
			"Add --credentials SOURCE, or name a configuration with --config flashd.yaml.")
	}
}

func serverSource(c config.Server, waiting func(error)) (credentials.Source, error) {
	token, err := readSecret(c.TokenFile, c.TokenEnv)
	switch {
	case err != nil && c.TokenFile == "":
		return nil, withHint(exitUsage, fmt.Errorf("token of the config server: %w", err),
			"Or name a file that holds it: with --token-file of flashd flash, or as token_file in flashd.yaml.")
	case err != nil:
		return nil, fmt.Errorf("token of the config server: %w", err)
	}
	return credentials.NewServer(credentials.ServerConfig{
		BaseURL: c.URL, Token: token, CAFile: c.CAFile, Timeout: c.Timeout,
		AllowPlainHTTP: c.AllowPlainHTTP, OnRetry: waiting,
	})
}

// misconfigured is for a file that is named and cannot be used. What the
// configuration wants has to be there before flashd starts: it does not come by
// itself.
func misconfigured(err error) error {
	if _, told := errors.AsType[*exitError](err); told {
		return err
	}
	hint := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		hint = "Put it there, or name another file."
	case errors.Is(err, fs.ErrPermission):
		hint = "Give it to the user who runs flashd; at a station: sudo chown flashd FILE."
	}
	return withHint(exitUsage, err, hint)
}

func readSecret(file, env string) (credentials.Secret, error) {
	if file != "" {
		return credentials.ReadSecretFile(file)
	}
	return credentials.SecretFromEnv(env)
}
