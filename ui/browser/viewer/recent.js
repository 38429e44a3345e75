/** A bounded cache of promises: the oldest unused goes first, what failed is tried again. */
export class Recent {
  #kept = new Map();
  #size;
  #load;

  constructor(size, load) {
    this.#size = size;
    this.#load = load;
  }

  get(key, ...details) {
    const found = this.#kept.get(key) ?? this.#begin(key, details);
    this.#kept.delete(key);
    this.#kept.set(key, found);
    while (this.#kept.size > this.#size) this.#kept.delete(this.#kept.keys().next().value);
    return found;
  }

  #begin(key, details) {
    const loading = this.#load(key, ...details);
    loading.catch(() => this.#kept.delete(key));
    return loading;
  }
}
