package firmware

import "os"

// platformIO is what the folder of one environment, .pio/build/ENV, has in it.
var platformIO = unlisted{source: "platformio", bootloader: "bootloader.bin", partitions: "partitions.bin", app: "firmware.bin"}

func isPlatformIO(root *os.Root) bool {
	return hasFile(root, platformIO.bootloader) && hasFile(root, platformIO.partitions) && hasFile(root, platformIO.app)
}
