/** The worklist: a row a case, each a real link; rows that did not change are left as they are. */

const MAX_LINES = 3;
const WEEK = 604800;
/** @type {[unit: Intl.RelativeTimeFormatUnit, seconds: number][]} */
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];
const COLUMNS = ["", "Case", "Prediction", "Status", "Flags", "Verdicts", "Received"];
/** @type {WeakMap<Element, Table>} */
const tables = new WeakMap();

/**
 * @param {string} tag
 * @param {Record<string, string | number | null>} attributes
 * @param {(Node | string | null | (Node | string | null)[])[]} children
 */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== null && value !== "") element.setAttribute(attribute, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

/**
 * Show the first few, and how many more there are.
 *
 * @template Item
 * @param {Item[]} items
 * @param {(item: Item) => Node} drawn
 * @param {(item: Item) => string} words what is said of those not drawn
 */
function few(items, drawn, words) {
  const rest = items.slice(MAX_LINES);
  const more = rest.length ? h("span", { class: "more", title: rest.map(words).join("\n") }, `+${rest.length}`) : null;
  return [...items.slice(0, MAX_LINES).map(drawn), more];
}

/**
 * @param {string} received ISO 8601
 * @param {string} now
 */
function age(received, now) {
  const then = new Date(received);
  const seconds = (Date.parse(now) - then.getTime()) / 1000;
  if (seconds < 60) return "just now";
  if (seconds > WEEK) return then.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
  const [unit, length] = UNITS.find(([, each]) => seconds >= each) ?? UNITS[UNITS.length - 1];
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(-Math.floor(seconds / length), unit);
}

/** @param {WorklistRow} row */
function picture(row) {
  if (!row.has_thumbnail) return h("div", { class: "no-picture" });
  return h("img", { src: `/api/thumbnail/${row.id}`, alt: "", loading: "lazy", width: 56, height: 56 });
}

/**
 * @param {WorklistRow} row
 * @param {string} href
 */
function name(row, href) {
  return [
    h("a", { href, "data-case": row.id }, `Case ${row.id}`),
    h("div", { class: "muted" }, row.facts.join(" · ")),
    row.study ? h("a", { class: "muted study", href: row.study.href, "data-study": row.id }, row.study.words) : null,
  ];
}

/** @param {WorklistRow["predictions"][number]} prediction */
function prediction({ model, version, label, score }) {
  const percent = `${Math.round(100 * score)}%`;
  return h("div", { class: "prediction" },
    h("span", { class: "label", title: label }, label),
    h("span", { class: "track" }, h("span", { style: `width: ${100 * score}%` })),
    h("span", { class: "score" }, percent),
    h("span", { class: "muted model", title: `${model} ${version}` }, model));
}

/** @param {WorklistRow} row */
function status(row) {
  const words = h("div", { class: `status ${row.status}` }, row.status_words);
  if (row.error) return [words, h("div", { class: "muted error", title: row.error }, row.error)];
  if (row.progress === null || row.status === "queued") return [words];
  const percent = Math.round(100 * row.progress);
  return [
    words,
    h("div", { class: "bar", role: "progressbar", "aria-valuenow": percent, "aria-label": `Case ${row.id}` },
      h("span", { style: `width: ${percent}%` })),
    h("div", { class: "muted" }, [row.stage, `${percent}%`].filter(Boolean).join(" · ")),
  ];
}

/** @param {WorklistRow["verdicts"][number]} verdict */
function verdict({ opinion, words, by, title }) {
  return h("div", { class: "verdict", title },
    h("span", { class: opinion }, words), " ", h("span", { class: "muted" }, by));
}

/**
 * @param {WorklistRow} row
 * @param {string} href
 * @param {string} now
 */
function cells(row, href, now) {
  return [
    picture(row),
    name(row, href),
    row.predictions.length
      ? few(row.predictions, prediction, (p) => `${p.model}: ${p.label}`)
      : h("span", { class: "muted" }, "–"),
    status(row),
    h("div", { class: "flags" }, few(row.flags, (flag) => h("span", { class: "flag" }, flag), String)),
    few(row.verdicts, verdict, (v) => v.title),
    h("time", { datetime: row.received, title: new Date(row.received).toLocaleString() }, age(row.received, now)),
  ].map((content) => h("td", {}, content));
}

class Table {
  /** @type {Map<number, { drawn: string, element: Node }>} */
  #rows = new Map();
  /** @type {number | null} */
  #page = null;
  /** Opens a case within the page. */
  open = /** @type {(caseId: number) => void} */ (() => {});
  /** Lists the study of a case. */
  study = /** @type {(caseId: number) => void} */ (() => {});
  #body = h("tbody");
  #table = h("table", { "aria-label": "Cases" },
    h("thead", {}, h("tr", {}, COLUMNS.map((column) => h("th", { scope: "col" }, column)))),
    this.#body);

  /** @param {Element} parent */
  constructor(parent) {
    parent.append(this.#table);
    this.#body.addEventListener("click", (event) => this.#follow(event));
  }

  /** @param {WorklistData} data */
  show({ rows, review, page, now }) {
    const kept = new Map();
    for (const row of rows) {
      const href = `${review}${review.endsWith("?") ? "" : "&"}case=${row.id}`;
      const drawn = JSON.stringify([row, href, age(row.received, now)]);
      const old = this.#rows.get(row.id);
      kept.set(row.id, old?.drawn === drawn ? old : { drawn, element: h("tr", {}, cells(row, href, now)) });
    }
    this.#rows = kept;
    const elements = [...kept.values()].map(({ element }) => element);
    const same = elements.length === this.#body.children.length
      && elements.every((element, index) => element === this.#body.children[index]);
    if (!same) this.#body.replaceChildren(...elements);
    if (this.#page !== page && this.#page !== null) this.#table.scrollIntoView();
    this.#page = page;
  }

  /**
   * Open within the page; with a key held, the browser opens the link as usual.
   *
   * @param {MouseEvent} event
   */
  #follow(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const link = target.closest("a") ?? target.closest("tr")?.querySelector("a");
    if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (link.dataset.study) this.study(Number(link.dataset.study));
    else this.open(Number(link.dataset.case));
  }
}

/** @param {StreamlitRun<WorklistData>} run */
export default function draw({ data, parentElement, setTriggerValue }) {
  const table = tables.get(parentElement) ?? new Table(parentElement);
  tables.set(parentElement, table);
  table.open = (caseId) => setTriggerValue("open", caseId);
  table.study = (caseId) => setTriggerValue("study", caseId);
  table.show(data);
}
