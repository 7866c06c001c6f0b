// Flashes files with esptool-js: node flash.mjs ESPTOOL_JS HOST:PORT stub|rom BAUD ADDRESS=FILE...
// Writes one line of JSON with what it saw of the chip.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { RemoteSerialPort } from "./serialport.mjs";

const [library, address, loader, baud, ...files] = process.argv.slice(2);
const { ESPLoader, Transport } = await import(pathToFileURL(join(library, "lib/index.js")));

console.log = console.error; // the library's traces: keep standard output for the result
const [host, port] = address.split(":");
const transport = new Transport(new RemoteSerialPort(host, Number(port)));
const esp = new ESPLoader({
  transport, baudrate: Number(baud), romBaudrate: 115200,
  terminal: { clean() {}, write: (s) => process.stderr.write(s), writeLine: (s) => console.error(s) },
});
// esptool-js has no option for the ROM loader: it always uploads its stub, always
// uses the stub's block size (the ROM takes no blocks of 16 KiB), and takes the
// ROM's MD5, which is hex already, for raw bytes. So the stub is left out and the
// comparison to whoever started this.
let calculateMD5Hash = (image) => createHash("md5").update(image).digest("hex");
if (loader === "rom") {
  esp.runStub = async () => esp.chip;
  esp.FLASH_WRITE_SIZE = 0x400;
  calculateMD5Hash = undefined;
}
const description = await esp.main();
const mac = await esp.chip.readMac(esp);
const flashID = await esp.readFlashId();
await esp.writeFlash({
  fileArray: await Promise.all(files.map(async (f) => {
    const [offset, path] = f.split("=");
    return { address: Number(offset), data: new Uint8Array(await readFile(path)) };
  })),
  flashSize: "keep", flashMode: "keep", flashFreq: "keep", eraseAll: false, compress: true,
  calculateMD5Hash,
});
await esp.after("hard_reset");
process.stdout.write(JSON.stringify({ description, mac, flashID, stub: esp.IS_STUB, baud: esp.baudrate }) + "\n");
process.exit(0);
