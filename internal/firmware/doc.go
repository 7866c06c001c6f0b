// Package firmware keeps releases: signed-off sets of images under
// firmware-images, each in a folder of its own with a manifest.
//
// [Import] makes a release of what a build left behind, [Load] reads one for
// the station. Both run the same checks on every image, the partition table,
// the layout and the NVS template, so that a bad release stops the station
// before any unit is touched. [Release.Personal] makes a unit's NVS partition
// from the template.
package firmware
