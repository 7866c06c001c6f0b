// Flashes files with esptool-js: node esptooljs.mjs LIBRARY HOST:PORT uart|usb BAUD ADDRESS=FILE...
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { RemoteSerialPort } from "../../flasher/espsim/foreign/serialport.mjs";

const [library, address, wiring, baud, ...files] = process.argv.slice(2);
const { ESPLoader, Transport } = await import(pathToFileURL(join(resolve(library), "lib/index.js")));

console.log = () => {}; // the library's traces
const [host, port] = address.split(":");
const serial = new RemoteSerialPort(host, Number(port));
if (wiring === "usb") serial.getInfo = () => ({ usbVendorId: 0x303a, usbProductId: 0x1001 });
const transport = new Transport(serial);
const esp = new ESPLoader({ transport, baudrate: Number(baud), romBaudrate: 115200 });
await esp.main();
await esp.writeFlash({
  fileArray: await Promise.all(files.map(async (f) => {
    const [offset, path] = f.split("=");
    return { address: Number(offset), data: new Uint8Array(await readFile(path)) };
  })),
  flashSize: "keep", flashMode: "keep", flashFreq: "keep", eraseAll: false, compress: true,
  calculateMD5Hash: (image) => createHash("md5").update(image).digest("hex"),
});
await esp.after("hard_reset");
process.exit(0);
