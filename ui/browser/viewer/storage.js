/** What the browser stores for the page; where it refuses, the page has it while it is open. */

/** @type {Map<string, string>} */
const refused = new Map();

/** @type {(storage: Storage, key: string) => string | null} */
export const get = (storage, key) => refused.get(key) ?? storage.getItem(key);

/** @type {(storage: Storage, key: string, text: string) => void} */
export function put(storage, key, text) {
  try {
    storage.setItem(key, text);
    refused.delete(key);
  } catch {
    refused.set(key, text); // full, or shut
  }
}

/** @type {(storage: Storage, key: string) => void} */
export function remove(storage, key) {
  refused.delete(key);
  storage.removeItem(key);
}

/** @type {(storage: Storage, prefix: string) => string[]} */
export function keysOf(storage, prefix) {
  const stored = Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? "");
  return [...new Set([...stored, ...refused.keys()])].filter((key) => key.startsWith(prefix));
}

/** Whether something would be lost with the page. */
export const isPageNeeded = () => refused.size > 0;
