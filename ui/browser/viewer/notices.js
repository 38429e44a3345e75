/** What a pane says where there is no map to draw: progress, failure, or why it is not drawn. */

import { explain } from "./case.js";
import { h } from "./dom.js";
import { wait } from "./numbers.js";
import { Damaged } from "./pictures.js";

/**
 * Whether a job waits or is being done.
 *
 * @param {Job | null} job
 * @returns {job is Job & { status: "queued" | "running" }}
 */
export function isUnderWay(job) {
  return job?.status === "queued" || job?.status === "running";
}

/**
 * Whether the maps of a case are being made.
 *
 * @param {Case} opened
 */
export function isWaiting(opened) {
  return opened.maps.some((map) => isUnderWay(map.job));
}

/**
 * Whether maps of a case are being checked thoroughly.
 *
 * @param {Case} opened
 */
export function isChecking(opened) {
  return opened.maps.some((map) => isUnderWay(map.check));
}

/**
 * The notice of one map's pane, as a list of elements; empty where the map is drawn.
 *
 * @param {Case} opened the case on screen
 * @param {MapEntry} map its entry in the case
 * @param {LoadedMap} decoded
 * @param {{ act: Act, reload: () => void, back: Choice | null }} does send to the server, try to
 *   load the map again, and put the usual method's map back, if this is another's
 * @returns {Child[]}
 */
export function noticeOf(opened, map, decoded, { act, reload, back }) {
  if (decoded instanceof Error) {
    if (map.id !== null && isUnderWay(map.job)) return absent(opened, map.job, act, back);
    const isLost = decoded instanceof Damaged;
    return [h("p", {}, "The map could not be loaded: ", decoded.message, "."),
      isLost && map.id !== null
        ? button("Make it again", () => act({ kind: "again", explanation_id: Number(map.id) }))
        : button("Try again", reload)];
  }
  if (decoded?.problem) {
    return [h("strong", {}, "Not drawn"),
      h("p", {}, `This ${map.name} map means nothing: ${decoded.problem}.`)];
  }
  if (map.pending) return [h("p", { class: "muted" }, "Opening …")];
  return map.id ? [] : absent(opened, map.job, act, back);
}

/**
 * @param {Case} opened
 * @param {Job | null} job
 * @param {Act} act
 * @param {Choice | null} back
 * @returns {Child[]}
 */
function absent(opened, job, act, back) {
  if (isUnderWay(job)) {
    return [progress(job), button("Cancel", () => act({ kind: "cancel", case_id: opened.id, job_id: job.id }))];
  }
  if (job?.status === "failed") {
    return [h("strong", {}, "No explanation"), h("p", {}, sentence(job.error || "The computation failed")),
      choices(button("Retry", () => act({ kind: "retry", case_id: opened.id, job_id: job.id })), back)];
  }
  const cancelled = job?.status === "cancelled";
  return [h("p", {}, cancelled ? "The explanation was cancelled." : "Not explained yet."),
    choices(button("Explain", () => act(explain(opened))), back)];
}

/**
 * @param {Element} first
 * @param {Choice | null} back
 */
function choices(first, back) {
  return h("div", { class: "choices" }, first, back && button(...back));
}

/** @param {string} text */
function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}`.replace(/[.]?$/, ".");
}

/** @param {Job} job */
function progress({ status, stage, fraction, seconds_left }) {
  const known = status === "running" && fraction !== null;
  const left = seconds_left ? `, about ${wait(seconds_left)} left` : "";
  const words = status === "queued" ? "Waiting for a worker" : `${stage || "Explaining"}${left}`;
  const done = Math.round(100 * (fraction ?? 0));
  return h("div", { class: "progress", role: "progressbar", "aria-label": "Explanation",
    "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": known ? done : null },
  h("p", {}, words), h("span", { class: "track" }, h("span", { style: `width: ${done}%` })));
}

/**
 * @param {string} words
 * @param {() => void} onclick
 */
function button(words, onclick) {
  return h("button", { type: "button", onclick }, words);
}
