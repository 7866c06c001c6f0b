package station_test

import (
	"os"
	"testing"
)

var temp string

func tempDir() (string, error) { return os.MkdirTemp(temp, "release") }

func TestMain(m *testing.M) {
	var err error
	if temp, err = os.MkdirTemp("", "station"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(temp)
	os.Exit(code)
}
