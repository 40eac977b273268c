// xbee-api on Node.js, for benchmarks/codec_peers.py: one JSON object a line, in and out.
//
// {"decode": {mode, chunks: [hex]}} or {"encode": {mode, packets: [[id, hex, hex, hex]]}} prepares
// a work, does it once, and answers with what came out, as {"result": [hex]}.
// {"run": seconds} does the work for about that long and answers {"seconds": for one frame}.

"use strict";

const path = require("path");
const readline = require("readline");
const modules = process.argv[2];
const { XBeeAPI, constants } = require(path.join(modules, "xbee-api"));

const RECEIVE_PACKET = constants.FRAME_TYPE.ZIGBEE_RECEIVE_PACKET;
const TRANSMIT_REQUEST = constants.FRAME_TYPE.ZIGBEE_TRANSMIT_REQUEST;

let work;
let items;

function decode({ mode, chunks }) {
  const buffers = chunks.map((chunk) => Buffer.from(chunk, "hex"));
  const api = new XBeeAPI({ api_mode: mode });
  let handle;
  api.on("frame_object", (frame) => handle(frame));
  work = () => {
    for (const buffer of buffers) api.parseRaw(buffer);
  };
  const frames = [];
  handle = (frame) => frames.push(frame);
  work();
  items = frames.length;
  let last;
  handle = (frame) => {
    last = frame;
  };
  return frames.map((frame) => {
    if (frame.type !== RECEIVE_PACKET) throw new Error(`type ${frame.type}`);
    const options = Buffer.from([frame.receiveOptions]).toString("hex");
    return "90" + frame.remote64 + frame.remote16 + options + frame.data.toString("hex");
  });
}

function encode({ mode, packets }) {
  const values = packets.map(([id, address64, address16, data]) => [
    id,
    address64,
    address16,
    Buffer.from(data, "hex"),
  ]);
  const api = new XBeeAPI({ api_mode: mode });
  let write;
  work = () => {
    for (const [id, destination64, destination16, data] of values) {
      write(
        api.buildFrame({
          type: TRANSMIT_REQUEST,
          id,
          destination64,
          destination16,
          broadcastRadius: 0,
          options: 0,
          data,
        })
      );
    }
  };
  const written = [];
  write = (wire) => written.push(wire.toString("hex"));
  work();
  items = written.length;
  let last;
  write = (wire) => {
    last = wire;
  };
  return written;
}

function seconds(from) {
  return Number(process.hrtime.bigint() - from) / 1e9;
}

function run(atLeast) {
  const begun = process.hrtime.bigint();
  let times = 0;
  let passed;
  do {
    work();
    times += 1;
    passed = seconds(begun);
  } while (passed < atLeast);
  return passed / (times * items);
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const request = JSON.parse(line);
  let answer;
  if (request.decode) answer = { result: decode(request.decode) };
  else if (request.encode) answer = { result: encode(request.encode) };
  else answer = { seconds: run(request.run) };
  process.stdout.write(JSON.stringify(answer) + "\n");
});
