/** What the browser has and Node.js has not, as far as the tests need it. */

/** A storage that keeps strings, as sessionStorage and localStorage do. */
export class FakeStorage {
  #kept = new Map();

  getItem(key) {
    return this.#kept.get(key) ?? null;
  }

  setItem(key, value) {
    this.#kept.set(key, String(value));
  }

  removeItem(key) {
    this.#kept.delete(key);
  }

  get length() {
    return this.#kept.size;
  }

  key(index) {
    return this.keys[index] ?? null;
  }

  get keys() {
    return [...this.#kept.keys()];
  }
}

/** A map of a case that has been made. */
export function madeMap(method, change = {}) {
  return { method, name: method.toUpperCase(), id: 1, picture: `0/${method}/a`, job: null, check: null, ...change };
}

/** A case with the maps of two methods. */
export function aCase(change = {}) {
  return {
    id: 7, model_id: 3, target: 0, token: "t", recipe: null, prediction: { id: 11 },
    verdicts: [], draft: null, pictures: ["0/ig/a", "0/occlusion/a"],
    maps: [madeMap("ig"), madeMap("occlusion", { id: 2 })], ...change,
  };
}

/** The reasons of a site: 1 and 3 of the answer, 2 of the model's reason. */
export const REASONS = [
  { key: "wrong_finding", words: "Wrong finding", of: "answer" },
  { key: "looks_at_marker", words: "Looks at a marker", of: "reasoning" },
  { key: "other", words: "Other", of: "answer" },
];

/** Findings of a model by name: what it says of each, and whether it is asked about. */
export function findingsOf(stated) {
  return Object.entries(stated).map(([label, { present = false, asked = true }], index) => ({
    index, label, score: present ? 0.8 : 0.2, threshold: 0.5, present, asked,
  }));
}
