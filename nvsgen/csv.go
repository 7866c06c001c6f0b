package nvsgen

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// CSVOptions say how [ReadCSV] finds values. The zero value takes them as they
// are.
type CSVOptions struct {
	// Expand is applied to the value column of data rows before it is typed;
	// nil leaves it as it is. It can fill in placeholders.
	Expand func(value string) (string, error)
	// Open opens what a file row names; nil is os.Open.
	Open func(name string) (io.ReadCloser, error)
}

// ReadCSV reads entries in the columns of Espressif's nvs_partition_gen.py:
//
//	key,type,encoding,value
//	gateway,namespace,,
//	mqtt_user,data,string,a1b2c3d4e5f6
//	cert,file,binary,cert.der
//
// type is namespace, data or file. encoding is u8, i8, u16, i16, u32, i32,
// u64, i64, string, binary, hex2bin, base64, blob_fill(LEN;0xHH) or
// blob_sz_fill(LEN;0xHH), in small or capital letters. Rows that are blank or
// begin with # are skipped. A namespace row that no key of it follows becomes
// a [Namespace] entry.
//
// Like Espressif's tool, a row with key sta.ssid or sta.pswd also makes the
// keys sta.apinfo, sta.pmk and sta.apsw, and ap.ssid with ap.passwd and
// ap.authmode makes ap.pmk_info: the Wi-Fi driver wants them.
//
// Errors name the row by its line in the file, and the key. They never hold a
// value.
func ReadCSV(r io.Reader, opts *CSVOptions) ([]Entry, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read CSV: %w", err)
	}
	rows, err := scanCSV(string(text), '#')
	if err != nil {
		return nil, err
	}
	return readRows(rows, opts)
}

// readRows reads rows of which the first names the columns.
func readRows(rows []csvRow, opts *CSVOptions) ([]Entry, error) {
	if opts == nil {
		opts = &CSVOptions{}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%w: the file is empty; begin it with key,type,encoding,value", ErrCSV)
	}
	columns, err := findColumns(rows[0])
	if err != nil {
		return nil, err
	}
	c := csvReader{opts: opts, keys: map[[2]string]bool{}}
	c.noteKeys(rows[1:], columns)
	for _, row := range rows[1:] {
		if err := c.read(row, columns); err != nil {
			return nil, err
		}
	}
	c.closeNamespace()
	return c.entries, nil
}

var columnNames = [...]string{"key", "type", "encoding", "value"}

// csvColumns are the places of columnNames in a row.
type csvColumns [len(columnNames)]int

func findColumns(header csvRow) (csvColumns, error) {
	var c csvColumns
	for i, name := range columnNames {
		if c[i] = slices.Index(header.fields, name); c[i] < 0 {
			return c, fmt.Errorf("%w: row %d: there is no column %q; the first row has to be key,type,encoding,value", ErrCSV, header.line, name)
		}
	}
	return c, nil
}

// get returns the four columns of a row and how many of them it has.
func (c csvColumns) get(row csvRow) (cells [4]string, have int) {
	for i, at := range c {
		if at < len(row.fields) {
			cells[i] = row.fields[at]
			have++
		}
	}
	return cells, have
}

type csvReader struct {
	opts    *CSVOptions
	entries []Entry

	namespace    string // the one that the last namespace row opened
	namespaceRow int    // its line; 0 before the first
	unused       bool   // no key followed yet

	keys map[[2]string]bool // every namespace and key of the file
	wifi wifiExtras
}

func (c *csvReader) read(row csvRow, columns csvColumns) error {
	cells, have := columns.get(row)
	key, kind, encoding, value := cells[0], cells[1], cells[2], cells[3]
	fail := func(err error) error {
		return fmt.Errorf("row %d, key %s: %w", row.line, quote(key), err)
	}
	if kind == "namespace" {
		if err := checkName(key); err != nil {
			return fmt.Errorf("row %d, namespace %w", row.line, err)
		}
		c.openNamespace(key, row.line)
		return nil
	}
	if have < len(cells) {
		return fail(fmt.Errorf("%w: the row has %d of the columns key,type,encoding,value; write all four", ErrCSV, have))
	}
	data, err := c.load(kind, value)
	if err != nil {
		return fail(err)
	}
	v, err := decodeValue(encoding, data)
	if err != nil {
		return fail(err)
	}
	if c.namespaceRow == 0 {
		return fail(fmt.Errorf("%w: no namespace row comes before it; put one above", ErrNoNamespace))
	}
	e := Entry{Namespace: c.namespace, Key: key, Value: v, row: row.line}
	if err := e.check(version2); err != nil {
		return fail(err)
	}
	c.add(e, data)
	return nil
}

// load returns the bytes that a row's value stands for.
func (c *csvReader) load(kind, value string) ([]byte, error) {
	switch kind {
	case "data":
		if c.opts.Expand == nil {
			return []byte(value), nil
		}
		value, err := c.opts.Expand(value)
		return []byte(value), err
	case "file":
		open := c.opts.Open
		if open == nil {
			open = func(name string) (io.ReadCloser, error) { return os.Open(name) }
		}
		f, err := open(value)
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(f)
		return content, errors.Join(err, f.Close())
	default:
		return nil, fmt.Errorf("%w: the type is unknown; use namespace, data or file", ErrCSV)
	}
}

func (c *csvReader) openNamespace(name string, line int) {
	c.closeNamespace()
	c.namespace, c.namespaceRow, c.unused = name, line, true
	if name == "" {
		c.closeNamespace() // keys do not bring the nameless one into being
	}
}

// closeNamespace declares the open namespace if no key did.
func (c *csvReader) closeNamespace() {
	if c.unused {
		e := Namespace(c.namespace)
		e.row = c.namespaceRow
		c.entries = append(c.entries, e)
		c.unused = false
	}
}

func (c *csvReader) add(e Entry, data []byte) {
	before, after := c.wifi.of(e, string(data), c.keys)
	c.entries = append(c.entries, before...)
	c.entries = append(c.entries, e)
	c.entries = append(c.entries, after...)
	c.unused = false
}

// noteKeys lists the keys that the file itself sets, so that none is made
// besides.
func (c *csvReader) noteKeys(rows []csvRow, columns csvColumns) {
	namespace := ""
	for _, row := range rows {
		cells, _ := columns.get(row)
		if cells[1] == "namespace" {
			namespace = cells[0]
			continue
		}
		c.keys[[2]string{namespace, cells[0]}] = true
	}
}
