/** How far a map can be trusted: a badge, and behind it the reasons and the measures. */

import { focusedIn, h } from "./dom.js";
import { percent } from "./numbers.js";
import { checking, thoroughCheck } from "./thorough_check.js";

const BADGES = {
  good: { glyph: "●", words: "Good" },
  caution: { glyph: "▲", words: "Caution" },
  poor: { glyph: "■", words: "Poor" },
};
const HELP = "/help#";

/**
 * The badge of a map. What is behind it shows on hover and on focus, until `dismiss` or Escape.
 *
 * @param {MadeMap} map
 * @param {Act} act sends to the server
 */
export function trustBadge(map, act) {
  const { name, trust, relative_delta } = map;
  const { glyph, words } = BADGES[trust.badge] ?? BADGES.caution;
  const said = [`Trust in ${name}: ${words}.`, ...trust.reasons].join(" ");
  const element = h("span", { class: "trust" },
    h("button", { type: "button", class: `badge ${trust.badge}`, "data-id": "badge", "aria-label": said },
      h("span", { class: "glyph", "aria-hidden": "true" }, glyph), words, checking(map)),
    relative_delta === null ? null
      : h("span", { class: "delta", title: "Convergence delta relative to F(x) − F(baseline)" },
        `δ ${percent(relative_delta)}`),
    tip(map, { glyph, words }, thoroughCheck(map, act)));
  for (const left of ["pointerleave", "focusout"]) {
    element.addEventListener(left, () => element.classList.remove("dismissed"));
  }
  return element;
}

/**
 * Put away what is open behind badges, whether it was hovered over or focused.
 *
 * @param {Element} root
 */
export function dismiss(root) {
  for (const element of root.querySelectorAll(".trust:is(:hover, :focus-within)")) {
    focusedIn(element)?.blur();
    element.classList.add("dismissed");
  }
}

/**
 * @param {MadeMap} map
 * @param {{ glyph: string, words: string }} badge
 * @param {Element | null} check
 */
function tip({ name, method, how, beware, trust }, { glyph, words }, check) {
  return h("div", { class: "tip", role: "group", "aria-label": `Trust in ${name}` },
    h("p", { class: `finding ${trust.badge}` },
      h("span", { class: "glyph", "aria-hidden": "true" }, glyph), h("strong", {}, words),
      trust.reasons.length ? null : "No measure speaks against this map."),
    listOf(trust.reasons),
    trust.rows.length ? table(trust.rows) : null,
    listOf(trust.notes),
    check,
    h("p", { class: "muted" }, how),
    h("p", {}, h("strong", { class: "beware" }, "When not to trust it "), beware),
    h("p", {}, link(method, `More on ${name}`, {})));
}

/** @param {string[]} sentences */
function listOf(sentences) {
  return sentences.length ? h("ul", {}, sentences.map((sentence) => h("li", {}, sentence))) : null;
}

/** @param {TrustRow[]} rows */
function table(rows) {
  const head = h("tr", {}, h("th", {}), h("th", { scope: "col" }, "this map"),
    h("th", { scope: "col" }, "by chance"));
  const lines = rows.flatMap((row, index) => {
    const begins = row.group && row.group !== rows[index - 1]?.group;
    const line = h("tr", { class: row.group ? "grouped" : null },
      h("th", { scope: "row" }, link(row.anchor, row.name, { tabindex: -1 })),
      h("td", {}, row.value), h("td", { class: "muted" }, row.chance));
    return begins ? [h("tr", {}, h("th", { scope: "rowgroup", colspan: 3 }, row.group)), line] : [line];
  });
  return h("table", {}, h("thead", {}, head), h("tbody", {}, lines));
}

/**
 * @param {string} key
 * @param {string} words
 * @param {Attributes} attributes
 */
function link(key, words, attributes) {
  const anchor = key.replaceAll(/[^a-z0-9]+/g, "-");
  return h("a", { href: `${HELP}${anchor}`, target: "_blank", ...attributes }, words);
}
