/**
 * A bounded cache of promises: the oldest unused goes first, what failed is tried again.
 *
 * @template Details, Value
 */
export class Recent {
  /** @type {Map<string, Promise<Value>>} */
  #kept = new Map();
  #size;
  #load;

  /**
   * @param {number} size
   * @param {(key: string, details: Details) => Promise<Value>} load
   */
  constructor(size, load) {
    this.#size = size;
    this.#load = load;
  }

  /**
   * @param {string} key
   * @param {Details} details what is needed to load it, besides its key
   */
  get(key, details) {
    const found = this.#kept.get(key) ?? this.#begin(key, details);
    this.#kept.delete(key);
    this.#kept.set(key, found);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#size) break;
      this.#kept.delete(oldest);
    }
    return found;
  }

  /**
   * @param {string} key
   * @param {Details} details
   */
  #begin(key, details) {
    const loading = this.#load(key, details);
    loading.catch(() => this.#kept.delete(key));
    return loading;
  }
}
