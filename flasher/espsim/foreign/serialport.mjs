// A Web Serial SerialPort (https://wicg.github.io/serial/) whose far end is an
// RFC 2217 server: what a browser gives esptool-js, for Node.
import net from "node:net";

const IAC = 255, WILL = 251, DO = 253, SB = 250, SE = 240;
const COM_PORT = 44, SET_BAUD = 1, SET_CONTROL = 5, ANSWER = 100;
const DTR = { true: 8, false: 9 }, RTS = { true: 11, false: 12 };

export class RemoteSerialPort {
  constructor(host, port) {
    Object.assign(this, { host, port, readable: null, writable: null });
    this.answers = []; // resolvers of commands under way, oldest first
    this.pending = []; // bytes of a telnet sequence that is not complete
  }

  getInfo() {
    return {}; // no USB IDs: a UART bridge
  }

  async open({ baudRate }) {
    this.socket = net.connect({ host: this.host, port: this.port, noDelay: true });
    await new Promise((resolve, reject) => this.socket.once("connect", resolve).once("error", reject));
    this.readable = new ReadableStream({
      start: (controller) => {
        this.socket.on("data", (chunk) => {
          const data = this.#receive(chunk);
          if (data.length > 0) controller.enqueue(data);
        });
        this.socket.on("close", () => {
          try { controller.close(); } catch { /* cancelled before */ }
        });
      },
    });
    this.writable = new WritableStream({
      write: (chunk) => new Promise((resolve, reject) =>
        this.socket.write(escaped(chunk), (error) => (error ? reject(error) : resolve()))),
    });
    this.socket.write(Uint8Array.of(IAC, WILL, COM_PORT, IAC, WILL, 0, IAC, DO, 0));
    await this.setBaudRate(baudRate);
  }

  // Not in Web Serial, but used by esptool-js where a port has it.
  setBaudRate(rate) {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, rate);
    return this.#command(SET_BAUD, bytes);
  }

  async setSignals({ dataTerminalReady, requestToSend }) {
    if (dataTerminalReady !== undefined) await this.#command(SET_CONTROL, [DTR[dataTerminalReady]]);
    if (requestToSend !== undefined) await this.#command(SET_CONTROL, [RTS[requestToSend]]);
  }

  async close() {
    this.readable = this.writable = null;
    this.socket.destroy();
  }

  // Sends a COM port command and waits for its answer; they come in order.
  #command(command, value) {
    return new Promise((resolve) => {
      this.answers.push({ command: command + ANSWER, resolve });
      this.socket.write(Uint8Array.from([IAC, SB, COM_PORT, command, ...escaped(value), IAC, SE]));
    });
  }

  // Takes telnet out of what arrived and returns the data in it.
  #receive(chunk) {
    const bytes = [...this.pending, ...chunk];
    const data = [];
    let i = 0;
    for (; i < bytes.length; i++) {
      if (bytes[i] !== IAC) {
        data.push(bytes[i]);
        continue;
      }
      const length = sequenceLength(bytes, i);
      if (length === 0) break; // the rest is still to come
      if (bytes[i + 1] === IAC) data.push(IAC);
      if (bytes[i + 1] === SB) this.#answered(bytes[i + 3]);
      i += length - 1;
    }
    this.pending = bytes.slice(i);
    return Uint8Array.from(data);
  }

  #answered(command) {
    const i = this.answers.findIndex((a) => a.command === command);
    if (i >= 0) this.answers.splice(i, 1)[0].resolve();
  }
}

// The length of the telnet sequence at i, 0 if it is not complete.
function sequenceLength(bytes, i) {
  if (i + 1 >= bytes.length) return 0;
  if (bytes[i + 1] === IAC) return 2;
  if (bytes[i + 1] !== SB) return i + 2 < bytes.length ? 3 : 0;
  for (let end = i + 2; end + 1 < bytes.length; end++) {
    if (bytes[end] !== IAC) continue;
    if (bytes[end + 1] === SE) return end + 2 - i;
    end++;
  }
  return 0;
}

function escaped(bytes) {
  return Uint8Array.from([...bytes].flatMap((b) => (b === IAC ? [IAC, IAC] : [b])));
}
