package firmware

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"hoptech.co.nz/flashd/nvsgen"
)

// maxTemplate is far more than any template needs, in bytes.
const maxTemplate = 1 << 20

// templateName is the file name of a release's NVS template.
const templateName = "nvs.csv"

// defaultNamespace is where the gateway firmware looks for its credentials.
const defaultNamespace = "gateway"

// The keys of the name that it reports with, and of the flag by which it knows that
// it has credentials.
const (
	userKey        = "mqtt_user"
	provisionedKey = "provisioned"
)

// defaultTemplate is for a build that brings none.
const defaultTemplate = `key,type,encoding,value
gateway,namespace,,
mqtt_user,data,string,${mqtt_user}
mqtt_pass,data,string,${mqtt_pass}
provisioned,data,u8,1
`

// Values are what an NVS template's placeholders stand for in one unit, by
// name. See [Placeholders].
type Values map[string]string

// The placeholders of an NVS template, written ${device_id} and so on.
const (
	DeviceID = "device_id" // the MAC as the firmware prints it: A1B2C3D4E5F6
	MQTTUser = "mqtt_user"
	MQTTPass = "mqtt_pass"
	MQTTHost = "mqtt_host"
	MQTTPort = "mqtt_port"
)

// Placeholders is the list of all placeholders.
var Placeholders = []string{DeviceID, MQTTUser, MQTTPass, MQTTHost, MQTTPort}

// samples are two imagined units, with values about as long as they get: what
// does not fit them stops the station, not a unit.
var samples = [2]Values{
	{
		DeviceID: "A1B2C3D4E5F6",
		MQTTUser: strings.Repeat("a1b2c3d4", 8),
		MQTTPass: strings.Repeat("0123456789abcdef", 4),
		MQTTHost: strings.Repeat("broker.example.", 8) + "com",
		MQTTPort: "8883",
	},
	{
		DeviceID: "F6E5D4C3B2A1",
		MQTTUser: strings.Repeat("d4c3b2a1", 8),
		MQTTPass: strings.Repeat("fedcba9876543210", 4),
		MQTTHost: strings.Repeat("broker.example.", 8) + "com",
		MQTTPort: "8883",
	},
}

// template is the content of an NVS partition with placeholders, in
// Espressif's CSV columns.
type template struct {
	text      []byte
	namespace string             // of the credentials
	sample    []nvsgen.Entry     // what an imagined unit would get
	uses      []string           // placeholders, in the order of Placeholders
	personal  map[keyID][]string // the keys whose values have placeholders, with these
}

// keyID names a key of NVS.
type keyID struct{ namespace, key string }

// newTemplate checks that text makes a partition of size bytes that provisions
// a unit: user, password and flag in that namespace.
func newTemplate(text []byte, namespace string, size int) (*template, error) {
	t := &template{text: text, namespace: namespace, personal: map[keyID][]string{}}
	var units [2][]nvsgen.Entry
	for i, values := range samples {
		var err error
		if units[i], err = t.entries(values); err != nil {
			return nil, err
		}
		if _, err := nvsgen.Generate(units[i], size, nil); err != nil {
			return nil, fmt.Errorf("it makes no NVS partition of %d bytes: %w", size, err)
		}
	}
	t.sample = units[0]
	for _, name := range Placeholders {
		without := maps.Clone(samples[0])
		delete(without, name)
		if _, err := t.entries(without); err != nil {
			t.uses = append(t.uses, name)
			if err := t.findUses(name); err != nil {
				return nil, err
			}
		}
	}
	return t, checkProvisions(namespace, units)
}

// findUses finds the keys that a placeholder has a part in: those whose values
// change with it.
func (t *template) findUses(placeholder string) error {
	other := maps.Clone(samples[0])
	value := []byte(other[placeholder])
	value[len(value)-1] = '1' // no sample ends so; a number stays one
	other[placeholder] = string(value)
	entries, err := t.entries(other)
	if err != nil {
		return err
	}
	for i, e := range entries {
		if !e.Equal(t.sample[i]) {
			id := keyID{e.Namespace, e.Key}
			t.personal[id] = append(t.personal[id], placeholder)
		}
	}
	return nil
}

// entries fills in the values and reads the rows. Placeholders are replaced
// value by value after the CSV was split, so that no value can be taken for
// CSV.
func (t *template) entries(values Values) ([]nvsgen.Entry, error) {
	return nvsgen.ReadCSV(bytes.NewReader(t.text), &nvsgen.CSVOptions{
		Expand: func(text string) (string, error) { return t.expand(text, values) },
		Open: func(string) (io.ReadCloser, error) {
			return nil, errors.New("rows of type file are not allowed here: write the value into the row")
		},
	})
}

// expand replaces the placeholders in one value. Its errors hold no values.
func (t *template) expand(text string, values Values) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed || !wordPattern.MatchString(name) {
			return "", fmt.Errorf("a placeholder is not well formed: there are %s", placeholderList())
		}
		if !slices.Contains(Placeholders, name) {
			return "", fmt.Errorf("no placeholder is called ${%s}: there are %s", name, placeholderList())
		}
		if values[name] == "" {
			return "", fmt.Errorf("there is no value for ${%s}", name)
		}
		b.WriteString(values[name])
		text = rest
	}
}

// wordPattern keeps what may be a secret out of error texts.
var wordPattern = regexp.MustCompile(`^\w{1,32}$`)

func placeholderList() string { return "${" + strings.Join(Placeholders, "}, ${") + "}" }

// checkProvisions checks what two units would get.
func checkProvisions(namespace string, units [2][]nvsgen.Entry) error {
	for _, e := range units[0] {
		if strings.Contains(e.Namespace+e.Key, "${") {
			return fmt.Errorf("key %s/%s has a placeholder in it: they stand in the value column only", e.Namespace, e.Key)
		}
	}
	for _, key := range []string{userKey, "mqtt_pass"} {
		one, ok := find(units[0], namespace, key).(nvsgen.Text)
		if !ok {
			return fmt.Errorf("it does not set %s/%s: add a row %s,data,string,${%[2]s} to namespace %[1]s", namespace, key, key)
		}
		if other := find(units[1], namespace, key); other == one {
			return fmt.Errorf("it gives every unit the same %s/%s: use ${%[2]s}", namespace, key)
		}
	}
	// A mix-up here would give away the password, or make one of what is public.
	if pass := find(units[0], namespace, "mqtt_pass").(nvsgen.Text); !strings.Contains(string(pass), samples[0][MQTTPass]) {
		return fmt.Errorf("it sets %s/mqtt_pass to something else than the unit's password: use ${%s}", namespace, MQTTPass)
	}
	if user := find(units[0], namespace, "mqtt_user").(nvsgen.Text); strings.Contains(string(user), samples[0][MQTTPass]) {
		return fmt.Errorf("it sets %s/mqtt_user to the unit's password: use ${%s}", namespace, MQTTUser)
	}
	if find(units[0], namespace, provisionedKey) != nvsgen.Uint8(1) {
		return fmt.Errorf("it does not set %s/provisioned to 1: add a row provisioned,data,u8,1 to namespace %[1]s", namespace)
	}
	return nil
}

func find(entries []nvsgen.Entry, namespace, key string) nvsgen.Value {
	i := slices.IndexFunc(entries, func(e nvsgen.Entry) bool { return e.Namespace == namespace && e.Key == key })
	if i < 0 {
		return nil
	}
	return entries[i].Value
}

// Uses returns the placeholders that the release's template fills in: what the
// source of credentials has to know.
func (r *Release) Uses() []string { return slices.Clone(r.template.uses) }
