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
