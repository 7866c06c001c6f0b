package credentials

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// The columns of a file of credentials: the first three are required.
var columns = []string{"device_id", "mqtt_user", "mqtt_password", "mqtt_host", "mqtt_port"}

const requiredColumns = 3

// maxCSVFile is the size up to which a file of credentials is read, in bytes:
// more than half a million units.
const maxCSVFile = 64 << 20

// issued are credentials out of a file.
type issued struct {
	path string
	row  func(deviceID string) (Credentials, bool) // has the rows: fmt cannot look into a function
}

// NewCSV returns a source of pre-issued credentials. The file is read once and
// must be private to its owner. Its first line names the columns device_id,
// mqtt_user and mqtt_password and, if wanted, mqtt_host and mqtt_port.
func NewCSV(path string) (Source, error) {
	data, err := readPrivate(path, maxCSVFile)
	if err != nil {
		return nil, err
	}
	rows, err := parseCSV(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	row := func(deviceID string) (c Credentials, ok bool) { c, ok = rows[deviceID]; return c, ok }
	return &issued{path, row}, nil
}

func (*issued) Name() string { return "csv" }

func (s *issued) Fetch(_ context.Context, deviceID string) (Credentials, error) {
	if err := checkDeviceID(deviceID); err != nil {
		return Credentials{}, err
	}
	c, ok := s.row(deviceID)
	if !ok {
		return Credentials{}, fmt.Errorf("unit %s: %w: add a row to %s and start flashd again", deviceID, ErrUnknownUnit, s.path)
	}
	return c, nil
}

// parseCSV reads all rows. Its errors name lines and columns but no cells, for
// any cell of a file with a slip in it may be a password.
func parseCSV(data []byte) (map[string]Credentials, error) {
	// Spreadsheets put a byte order mark before UTF-8.
	table := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	header, err := table.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("it is empty: the first line names the columns %s", strings.Join(columns, ","))
	}
	if err != nil {
		return nil, err
	}
	place, err := placeColumns(header)
	if err != nil {
		return nil, err
	}
	rows, lines := map[string]Credentials{}, map[string]int{}
	for {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := table.FieldPos(0)
		c, err := parseRow(record, place)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if before, ok := lines[c.DeviceID]; ok {
			return nil, fmt.Errorf("lines %d and %d are both for unit %s: remove one", before, line, c.DeviceID)
		}
		rows[c.DeviceID], lines[c.DeviceID] = c, line
	}
}

// placeColumns finds each of columns in the header, -1 if it is not there.
func placeColumns(header []string) ([]int, error) {
	place := make([]int, len(columns))
	for i, name := range columns {
		place[i] = slices.Index(header, name)
		if place[i] < 0 && i < requiredColumns {
			return nil, fmt.Errorf("line 1: there is no column %s: the first line names the columns %s", name, strings.Join(columns, ","))
		}
	}
	for i, name := range header {
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("line 1: column %d is none of %s", i+1, strings.Join(columns, ","))
		}
		if first := slices.Index(header, name); first < i {
			return nil, fmt.Errorf("line 1: columns %d and %d are both %s", first+1, i+1, name)
		}
	}
	return place, nil
}

func parseRow(record []string, place []int) (Credentials, error) {
	cell := func(i int) string {
		if place[i] < 0 {
			return ""
		}
		return record[place[i]]
	}
	c := Credentials{DeviceID: cell(0), MQTTUser: cell(1), MQTTPassword: Secret(cell(2)), MQTTHost: cell(3)}
	if err := checkDeviceID(c.DeviceID); err != nil {
		return Credentials{}, err
	}
	if port := cell(4); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return Credentials{}, errors.New("mqtt_port is not from 1 to 65535")
		}
		c.MQTTPort = int(n)
	}
	return c, c.check(c.DeviceID)
}
