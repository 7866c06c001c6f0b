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
	_ = os.RemoveAll(temp) // the system clears its temporary files, too
	os.Exit(code)
}
