import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { bodyOf, filesBelow, parcelsOf, Sending, sizeOf } from "../../../../ui/browser/upload/upload.js";

const file = (name, size) => ({ name, file: new Blob([new Uint8Array(size)]) });
const sized = (name, size) => ({ name, file: { size } });

let told;

beforeEach(() => {
  told = [];
  globalThis.fetch = async (url, { method }) => { told.push([method, url]); };
});

afterEach(() => { delete globalThis.fetch; });

test("small files go together, a large one alone, all in order", () => {
  const files = [...Array(120).keys()].map((n) => sized(`${n}`, 100));
  files.splice(60, 0, sized("large", 300_000_000));
  const parcels = parcelsOf(files);
  assert.deepEqual(parcels.map((each) => each.length), [50, 10, 1, 50, 10]);
  assert.deepEqual(parcels.flat(), files);
});

test("a parcel says of each file its name and size", async () => {
  const bytes = new Uint8Array(await bodyOf([{ name: "ä", file: new Blob(["xy"]) }]).arrayBuffer());
  const header = new TextEncoder().encode('{"name":"ä","size":2}');
  assert.deepEqual([...bytes], [0, 0, 0, header.length, ...header, 120, 121]);
});

test("of a long name the end is sent", async () => {
  const sent = await bodyOf([{ name: `${"é".repeat(5_000)}.png`, file: new Blob([]) }]).text();
  assert.equal(JSON.parse(sent.slice(4)).name, `${"é".repeat(251)}.png`);
});

test("sizes are told in words", () => {
  assert.deepEqual([12, 1_500, 300_000_000, 2.04e9].map(sizeOf), ["12 bytes", "1.5 kB", "300 MB", "2.0 GB"]);
});

const leaf = (name, fullPath) => ({ name, fullPath, isFile: true, file: (tell) => tell(file(name, 1).file) });
const folder = (name, children) => ({
  name, isFile: false,
  createReader() {
    const batches = [children.slice(0, 1), children.slice(1), []];
    return { readEntries: (tell) => tell(batches.shift()) };
  },
});

test("a folder that was dropped gives all below it, and no clutter", async () => {
  const dropped = folder("set", [leaf("1.png", "/set/1.png"),
    folder("deep", [leaf(".DS_Store", "/set/deep/.DS_Store"), leaf("2.dcm", "/set/deep/2.dcm")]),
    leaf("Thumbs.db", "/set/Thumbs.db")]);
  const files = await filesBelow([dropped, leaf("3", "/3")]);
  assert.deepEqual(files.map(({ name }) => name), ["set/1.png", "set/deep/2.dcm", "3"]);
});

/** A server that answers in turn, and then takes everything. */
function server(...answers) {
  const arrived = [];
  const post = async (url, body, signal, sent) => {
    sent(body.size);
    const reply = answers.shift() ?? { status: 200, born: "b" };
    if (reply.status === 200) arrived.push(url.split("/").at(-1));
    return reply;
  };
  return { arrived, post };
}

test("everything arrives, and the server hears that it is all", async () => {
  const { arrived, post } = server();
  const sending = new Sending([...Array(120).keys()].map((n) => file(`${n}`, 3)), () => {}, post);
  assert.equal(await sending.run(), "");
  assert.deepEqual(arrived, ["0?of=120", "1?of=120", "2?of=120"]);
  assert.deepEqual([sending.nArrived, sending.nBytesSent], [120, 360]);
  assert.deepEqual(told, [["PUT", `/api/upload/${sending.id}`]]);
});

for (const status of [0, 429, 500, 503]) {
  test(`after ${status || "no answer"} it is sent again`, async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { arrived, post } = server({ status, words: status ? "Wait." : undefined });
    const words = new Set();
    const sending = new Sending([file("a", 3)], () => {
      words.add(sending.waits);
      queueMicrotask(() => t.mock.timers.tick(3_000));
    }, post);
    assert.equal(await sending.run(), "");
    assert.deepEqual(arrived, ["0?of=1"]);
    assert.ok(words.has(status ? "Wait." : "Offline. Trying again."));
    assert.equal(sending.waits, "");
  });
}

for (const [status, said] of [[401, /session has ended/], [403, /may not/], [413, /more than/]]) {
  test(`after ${status} nothing more is sent`, async () => {
    const { arrived, post } = server({ status, words: "It may not have more than that." });
    assert.match(await new Sending([file("a", 3)], () => {}, post).run(), said);
    assert.deepEqual([arrived, told], [[], []]);
  });
}

test("what a server lost that was started anew is sent again", async () => {
  const { arrived, post } = server({ status: 200, born: "old" });
  const files = [...Array(60).keys()].map((n) => file(`${n}`, 3));
  assert.equal(await new Sending(files, () => {}, post).run(), "");
  assert.deepEqual(arrived, ["0?of=60", "1?of=60", "0?of=60", "1?of=60"]);
});

test("what is cancelled is not sent, and the server hears it", async () => {
  const sending = new Sending([file("a", 3)], () => {}, async () => {
    sending.cancel();
    return { status: 0 };
  });
  assert.match(await sending.run(), /^Cancelled/);
  assert.deepEqual(told, [["DELETE", `/api/upload/${sending.id}`]]);
});
