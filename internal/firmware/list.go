package firmware

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Summary is what the manifest of a release says. The files are not read.
type Summary struct {
	Name      string    `json:"name"`
	Chip      string    `json:"chip"`
	FlashSize int       `json:"flashSize"` // bytes
	Project   string    `json:"project"`
	Version   string    `json:"version"`
	Source    string    `json:"source"`
	Imported  time.Time `json:"imported"`
	Bytes     int       `json:"bytes"` // of all segments
	Demo      bool      `json:"demo"`
	Encrypted bool      `json:"nvsEncrypted"`
	Digest    string    `json:"digest"`

	// Segments are what is written, and NVS is the partition that each unit
	// gets a content of its own for.
	Segments []SegmentSummary `json:"segments"`
	NVS      SegmentSummary   `json:"nvs"`

	Problem string `json:"problem,omitempty"` // why the manifest cannot be read; all else but Name is empty then
}

// SegmentSummary is what the manifest says about one part of flash.
type SegmentSummary struct {
	Name   string `json:"name"`
	Offset uint32 `json:"offset"`           // in flash, bytes
	Size   int    `json:"size"`             // bytes
	SHA256 string `json:"sha256,omitempty"` // in hex; empty where each unit has its own
}

// List returns all releases under imagesDir by name. One whose manifest cannot
// be read is listed with its Problem.
func List(imagesDir string) ([]Summary, error) {
	entries, err := os.ReadDir(imagesDir)
	if err != nil {
		return nil, fmt.Errorf("list releases: %w", err)
	}
	var list []Summary
	for _, e := range entries {
		dir := filepath.Join(imagesDir, e.Name())
		if strings.HasPrefix(e.Name(), ".") || !isDir(dir) {
			continue
		}
		list = append(list, summarize(dir, e.Name()))
	}
	return list, nil
}

func summarize(dir, name string) Summary {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Summary{Name: name, Problem: err.Error()}
	}
	defer root.Close()
	m, digest, err := readManifest(root)
	if err != nil {
		return Summary{Name: name, Problem: err.Error()}
	}
	s := Summary{
		Name: name, Chip: m.Chip, FlashSize: m.FlashSize, Project: m.Project, Version: m.Version,
		Source: m.Source, Imported: m.Imported, Demo: m.Demo, Encrypted: m.NVS.Encrypted, Digest: digest,
	}
	for _, ms := range m.Segments {
		s.Bytes += ms.Size
		s.Segments = append(s.Segments, SegmentSummary{Name: ms.Name, Offset: uint32(ms.Offset), Size: ms.Size, SHA256: ms.SHA256})
	}
	s.NVS = SegmentSummary{Name: m.NVS.Label, Offset: uint32(m.NVS.Offset), Size: m.NVS.Size}
	return s
}
