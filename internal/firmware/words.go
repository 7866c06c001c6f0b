package firmware

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"hoptech.co.nz/flashd/flasher"
)

// plainly is what is wrong with an image or a table, without who found it.
func plainly(err error) error {
	if e, ok := errors.AsType[*flasher.Error](err); ok && e.Err != nil {
		return e.Err
	}
	return err
}

// parseJSON is json.Unmarshal whose errors are for whoever wrote the JSON.
func parseJSON(data []byte, to any) error {
	err := json.Unmarshal(data, to)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return wrongType(e)
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("it is no JSON: %w after %d bytes", e, e.Offset)
	}
	return err
}

func wrongType(e *json.UnmarshalTypeError) error {
	want := e.Type.Kind().String()
	switch e.Type.Kind() {
	case reflect.Uint32:
		want = "a number from 0 to 4294967295"
	case reflect.String:
		want = "a string"
	case reflect.Slice:
		want = "a list"
	case reflect.Struct, reflect.Map:
		want = "an object"
	}
	if e.Field == "" {
		return fmt.Errorf("it holds a JSON %s: want %s", e.Value, want)
	}
	return fmt.Errorf("%s is a %s: want %s", e.Field, e.Value, want)
}
