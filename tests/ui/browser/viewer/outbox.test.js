import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Outbox } from "../../../../ui/browser/viewer/outbox.js";

let delivered;
let late;
let outbox;

beforeEach((t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  delivered = [];
  late = [];
  outbox = new Outbox((action) => delivered.push(action), (is) => late.push(is));
});

test("actions are numbered in order", () => {
  assert.deepEqual([outbox.send({ kind: "refresh" }).seq, outbox.send({ kind: "refresh" }).seq], [1, 2]);
});

test("only one is on its way: the next leaves when the last is acknowledged", () => {
  outbox.send({ kind: "open", case_id: 1 });
  outbox.send({ kind: "refresh" });
  assert.deepEqual(delivered, [{ kind: "open", case_id: 1, seq: 1 }]);
  assert.deepEqual(outbox.acknowledge(1), { kind: "open", case_id: 1, seq: 1 });
  assert.deepEqual(delivered.at(-1), { kind: "refresh", seq: 2 });
});

test("it is busy until the last is acknowledged", () => {
  assert.equal(outbox.busy, false);
  outbox.send({ kind: "refresh" });
  outbox.send({ kind: "refresh" });
  outbox.acknowledge(1);
  assert.equal(outbox.busy, true);
  outbox.acknowledge(2);
  assert.equal(outbox.busy, false);
});

test("a run that has not done the action acknowledges nothing", () => {
  outbox.send({ kind: "refresh" });
  assert.equal(outbox.acknowledge(0), null);
  assert.equal(outbox.busy, true);
});

test("nothing is acknowledged twice", () => {
  outbox.send({ kind: "refresh" });
  outbox.acknowledge(1);
  assert.equal(outbox.acknowledge(1), null);
});

test("what is not acknowledged is sent again, the same, and the reader is told", (t) => {
  const action = outbox.send({ kind: "refresh" });
  t.mock.timers.tick(8000);
  t.mock.timers.tick(8000);
  assert.deepEqual(delivered, [action, action, action]);
  assert.deepEqual(late, [true, true]);
});

test("with the line back it is sent again at once", (t) => {
  const action = outbox.send({ kind: "refresh" });
  outbox.resend();
  assert.deepEqual(delivered, [action, action]);
  t.mock.timers.tick(8000);
  assert.equal(delivered.length, 3);
  outbox.acknowledge(1);
  outbox.resend();
  assert.equal(delivered.length, 3);
});

test("what is acknowledged is not sent again, and the reader is told", (t) => {
  outbox.send({ kind: "refresh" });
  outbox.acknowledge(1);
  t.mock.timers.tick(20000);
  assert.equal(delivered.length, 1);
  assert.deepEqual(late, [false]);
});

test("numbers go on after those the server has done for an earlier page", () => {
  outbox.acknowledge(41);
  assert.equal(outbox.send({ kind: "refresh" }).seq, 42);
});

test("after its end nothing is sent again", (t) => {
  outbox.send({ kind: "refresh" });
  outbox.stop();
  t.mock.timers.tick(20000);
  assert.equal(delivered.length, 1);
});
