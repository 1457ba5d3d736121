// Usage: NODE_PATH=… node matrix.js URL OFFERS
//
// For each of OFFERS, a list of permessage-deflate options of npm ws as JSON,
// it connects to the echo at URL, sends messages of all sizes (text and
// binary, whole and in fragments) and checks that each comes back. It prints
// what went wrong and exits with 1, or how many messages came back.
"use strict";

const { once } = require("node:events");
const WebSocket = require("ws");

const sizes = [16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072];
const patience = 20_000;

// text is n bytes of UTF-8 that compress, but not to nothing. Characters of
// three bytes see to it that fragments end inside one.
function text(n) {
  let s = "";
  for (let i = 0; s.length < n; i++) s += `Zeile ${i}: ${(i * i * 7919) % 10007} €; `;
  const b = Buffer.from(s).subarray(0, n);
  let end = n;
  while (end > 0 && (b[end - 1] & 0xc0) === 0x80) end--;
  if (end > 0 && b[end - 1] >= 0xc0) end--;
  b.fill("x", end); // no half character at the end
  return b;
}

const messages = sizes.map(text);

function send(ws, data, binary, fragments) {
  const step = Math.ceil(data.length / fragments);
  for (let at = 0; at < data.length; at += step)
    ws.send(data.subarray(at, at + step), { binary, compress: true, fin: at + step >= data.length });
}

async function play(url, options) {
  const ws = new WebSocket(url, { perMessageDeflate: { threshold: 0, ...options } });
  const timer = setTimeout(() => ws.emit("error", new Error("too slow")), patience);
  try {
    let agreed;
    ws.on("upgrade", answer => (agreed = answer.headers["sec-websocket-extensions"] || ""));
    await once(ws, "open");
    check(agreed, options);
    let n = 0;
    for (const binary of [false, true])
      for (const fragments of [1, 3])
        for (const data of messages) {
          const answer = once(ws, "message");
          send(ws, data, binary, fragments);
          const [got, isBinary] = await answer;
          if (isBinary !== binary || !got.equals(data))
            throw new Error(`${data.length} bytes, binary ${binary}, ${fragments} fragments: ${got.length} came back, binary ${isBinary}`);
          n++;
        }
    ws.close(4000, "done");
    const [code] = await once(ws, "close");
    if (code !== 4000) throw new Error(`closed with ${code}`);
    return n;
  } finally {
    clearTimeout(timer);
    ws.terminate();
  }
}

// check holds the Sec-WebSocket-Extensions of the answer against what was
// asked for.
function check(agreed, options) {
  const bits = side => Number((agreed.match(new RegExp(`${side}_max_window_bits=(\\d+)`)) || [])[1]);
  for (const [ok, wrong] of [
    [agreed.startsWith("permessage-deflate"), "no compression"],
    [!options.serverNoContextTakeover || agreed.includes("server_no_context_takeover"), "server takeover in spite of the offer"],
    [!options.serverMaxWindowBits || bits("server") <= options.serverMaxWindowBits, "a larger window than offered"],
    [options.clientMaxWindowBits !== false || !bits("client"), "a client window that was not offered"],
  ])
    if (!ok) throw new Error(`${wrong} was agreed upon: ${agreed}`);
}

(async () => {
  const [url, offers] = [process.argv[2], JSON.parse(process.argv[3])];
  let messages = 0, failed = false;
  for (const options of offers)
    try {
      messages += await play(url, options);
    } catch (err) {
      failed = true;
      console.log(`${JSON.stringify(options)}: ${err.message}`);
    }
  if (failed) process.exit(1);
  console.log(messages);
})();
