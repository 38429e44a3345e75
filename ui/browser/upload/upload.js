/**
 * Chooses files and folders, and sends them: many small ones in one request, a few requests at a
 * time, each again until it has arrived. What waits is held by the browser alone, as references.
 */

const PARCEL_BYTES = 8_000_000;
const PARCEL_FILES = 50;
const NAME_CHARACTERS = 255; // the last of them tell files apart
const AT_ONCE = 3;
const RETRY_MS = 3_000;
const [OFFLINE, SESSION_ENDED, NO_ROOM] = [0, 401, 429];
const OFFLINE_WORDS = "Offline. Trying again.";
const CLUTTER = /^\.|^(thumbs\.db|desktop\.ini)$/i;
const ORDER = new Intl.Collator("en", { numeric: true });
const UNITS = /** @type {[number, string][]} */ ([[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]);

/**
 * Return files in the groups that are sent: small ones together, a large one alone.
 *
 * @param {Chosen[]} files
 * @returns {Chosen[][]}
 */
export function parcelsOf(files) {
  /** @type {Chosen[][]} */
  const parcels = [];
  let room = 0;
  for (const chosen of files) {
    const last = parcels.at(-1);
    if (!last || last.length >= PARCEL_FILES || chosen.file.size > room) {
      parcels.push([chosen]);
      room = PARCEL_BYTES - chosen.file.size;
    } else {
      last.push(chosen);
      room -= chosen.file.size;
    }
  }
  return parcels;
}

/**
 * Return a parcel as it travels: for each file the length of its header, the header, and the file.
 *
 * @param {Chosen[]} files
 */
export function bodyOf(files) {
  return new Blob(files.flatMap(({ name, file }) => {
    const header = new TextEncoder().encode(JSON.stringify({ name: name.slice(-NAME_CHARACTERS), size: file.size }));
    const length = new DataView(new ArrayBuffer(4));
    length.setUint32(0, header.length);
    return [length.buffer, header, file];
  }));
}

/** @param {number} n_bytes */
export function sizeOf(n_bytes) {
  const [unit, name] = UNITS.find(([each]) => n_bytes >= each) ?? [1, "bytes"];
  return `${(n_bytes / unit).toFixed(unit > 1 && n_bytes < 10 * unit ? 1 : 0)} ${name}`;
}

/**
 * Return the files below what was dropped, folders included, without what systems leave in them.
 *
 * @param {FileSystemEntry[]} entries
 * @param {(n: number) => void} found told how many there are so far
 * @returns {Promise<Chosen[]>}
 */
export async function filesBelow(entries, found = () => {}) {
  /** @type {Chosen[]} */
  const files = [];
  const waiting = [...entries];
  for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
    if (entry.isFile) {
      const file = await new Promise(/** @type {FileSystemFileEntry} */ (entry).file.bind(entry));
      if (!CLUTTER.test(entry.name)) files.push({ name: entry.fullPath.replace(/^\//, ""), file });
      found(files.length);
    } else waiting.unshift(...await childrenOf(/** @type {FileSystemDirectoryEntry} */ (entry)));
  }
  return files;
}

/** @param {FileSystemDirectoryEntry} folder */
async function childrenOf(folder) {
  const reader = folder.createReader();
  /** @type {FileSystemEntry[]} */
  const children = [];
  for (;;) { // a browser tells of a hundred at a time
    const some = /** @type {FileSystemEntry[]} */ (
      await new Promise((tell, fail) => { reader.readEntries(tell, fail); }));
    if (!some.length) return children;
    children.push(...some);
  }
}

/** Sends files; of one batch, whatever happens to the line. */
export class Sending {
  id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  nArrived = 0;
  nBytes = 0;
  /** Why nothing moves just now, in words. */
  waits = "";
  #files;
  #parcels;
  #changed;
  #post;
  /** @type {Map<number, number>} bytes of parcels under way */
  #underWay = new Map();
  #stop = new AbortController();
  #born = "";
  #arrived = 0;

  /**
   * @param {Chosen[]} files
   * @param {() => void} changed told that something moved
   * @param {typeof send} post
   */
  constructor(files, changed, post = send) {
    this.#files = files;
    this.#parcels = parcelsOf(files);
    this.nBytes = files.reduce((sum, { file }) => sum + file.size, 0);
    this.#changed = changed;
    this.#post = post;
  }

  get nFiles() {
    return this.#files.length;
  }

  get nBytesSent() {
    return Math.min(this.nBytes, this.#arrived + [...this.#underWay.values()].reduce((a, b) => a + b, 0));
  }

  /**
   * Send everything; resolves with why it ended early, in words, or with "" once all has arrived.
   *
   * @returns {Promise<string>}
   */
  async run() {
    try {
      for (let isAnew = true; isAnew;) {
        isAnew = false;
        [this.nArrived, this.#arrived] = [0, 0];
        const waiting = [...this.#parcels.entries()];
        const lane = async () => {
          for (let next = waiting.shift(); next; next = waiting.shift()) {
            const born = await this.#arrive(...next);
            isAnew ||= this.#born !== "" && this.#born !== born; // the server has lost the others
            this.#born = born;
          }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, lane));
      }
      await this.#tell("PUT");
      return "";
    } catch (error) {
      this.#stop.abort();
      return /** @type {Error} */ (error).message;
    }
  }

  cancel() {
    this.#stop.abort(new Error("Cancelled; what is stored stays."));
    this.#tell("DELETE");
  }

  /**
   * Send one parcel, as often as it takes; returns the batch that it arrived in.
   *
   * @param {number} number
   * @param {Chosen[]} files
   * @returns {Promise<string>}
   */
  async #arrive(number, files) {
    const body = bodyOf(files);
    for (;;) {
      this.#stop.signal.throwIfAborted();
      const reply = await this.#post(`/api/upload/${this.id}/${number}?of=${this.nFiles}`, body, this.#stop.signal,
        (sent) => { this.#underWay.set(number, sent); this.#changed(); });
      this.#underWay.delete(number);
      if (reply.status === 200) {
        this.waits = "";
        this.nArrived += files.length;
        this.#arrived += body.size;
        this.#changed();
        return String(reply.born);
      }
      this.#stop.signal.throwIfAborted();
      if (reply.status === SESSION_ENDED) throw new Error("The session has ended: sign in, and upload the rest again.");
      if (![OFFLINE, NO_ROOM].includes(reply.status) && reply.status < 500) {
        throw new Error(reply.words || `The server answered ${reply.status}.`);
      }
      this.waits = reply.words || OFFLINE_WORDS;
      this.#changed();
      await pause(RETRY_MS, this.#stop.signal);
    }
  }

  /** @param {"PUT" | "DELETE"} method that all has arrived, or is not wanted */
  async #tell(method) {
    for (let tries = 0; tries < 20; tries++) {
      try {
        return await fetch(`/api/upload/${this.id}`, { method, keepalive: true });
      } catch {
        this.waits = OFFLINE_WORDS;
        this.#changed();
        await pause(RETRY_MS);
      }
    }
    return null;
  }
}

/**
 * @param {number} ms
 * @param {AbortSignal} [signal]
 */
function pause(ms, signal) {
  return new Promise((go, fail) => {
    const timer = setTimeout(go, ms);
    signal?.addEventListener("abort", () => { clearTimeout(timer); fail(signal.reason); });
  });
}

/**
 * Send a body and tell how much of it has left; status 0 is that there is no line.
 *
 * @param {string} url
 * @param {Blob} body
 * @param {AbortSignal} signal
 * @param {(n_bytes: number) => void} sent
 * @returns {Promise<{ status: number, words?: string, born?: string }>}
 */
function send(url, body, signal, sent) {
  return new Promise((answer) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.responseType = "json";
    request.upload.onprogress = ({ loaded }) => sent(loaded);
    request.onload = () => answer({ status: request.status, ...request.response });
    request.onerror = request.onabort = () => answer({ status: OFFLINE });
    signal.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}

/** The page's part: two buttons, a place to drop on, and one bar while something is sent. */
class Desk {
  /** @type {Sending | null} */
  sending = null;
  /** @type {(name: string, value: unknown) => void} */
  tell = () => {};
  #followed = "";
  #wasFollowed = false;
  #drawing = 0;
  #words = element("p", { role: "status" });
  #bar = /** @type {HTMLProgressElement} */ (element("progress", { max: "1", "aria-label": "Sending files" }));
  #cancel = element("button", { type: "button" }, "Cancel");
  #said = element("p", { role: "alert", class: "said" });
  #choose = element("div", { class: "choose" });
  #under = element("div", { class: "under-way" });
  element = element("div", { class: "upload" });

  constructor() {
    const files = picker({ multiple: "" });
    const folder = picker({ webkitdirectory: "" });
    for (const input of [files, folder]) {
      input.addEventListener("change", () => {
        this.#start([...input.files ?? []].map((file) => ({ name: file.webkitRelativePath || file.name, file })));
        input.value = "";
      });
    }
    this.#choose.append(
      element("p", {}, "Drop images, DICOM files, ZIP archives or folders here"),
      opener("Choose files…", files), opener("Choose a folder…", folder));
    this.#cancel.addEventListener("click", () => this.sending?.cancel());
    this.#under.append(this.#words, this.#bar, this.#cancel);
    this.element.append(this.#choose, this.#under, this.#said);
    this.element.addEventListener("dragover", (event) => {
      event.preventDefault();
      this.element.classList.toggle("over", !this.sending);
    });
    for (const kind of ["dragleave", "drop"]) {
      this.element.addEventListener(kind, () => this.element.classList.remove("over"));
    }
    this.element.addEventListener("drop", (event) => this.#drop(/** @type {DragEvent} */ (event)));
    window.addEventListener("beforeunload", (event) => { if (this.sending) event.preventDefault(); });
    this.#draw();
  }

  /** @param {UploadData} data */
  update({ batch, running }) {
    this.#wasFollowed ||= batch === this.#followed;
    if (!this.#followed || !this.#wasFollowed || this.sending || (batch && running)) return;
    if (!batch) this.#say("The server was started anew while it stored your files. Upload them again: those that are stored lead to their cases.");
    this.#followed = "";
  }

  /** @param {DragEvent} event */
  async #drop(event) {
    event.preventDefault();
    const items = [...event.dataTransfer?.items ?? []];
    const entries = items.flatMap((item) => item.webkitGetAsEntry() ?? []);
    if (this.sending || !entries.length) return;
    this.#say("Looking into what was dropped …");
    this.#start(await filesBelow(entries, (n) => this.#say(`Looking into what was dropped: ${n} files …`)));
  }

  /** @param {Chosen[]} files */
  async #start(files) {
    this.#say(files.length ? "" : "There are no files in it.");
    if (this.sending || !files.length) return;
    const inOrder = files.sort((one, other) => ORDER.compare(one.name, other.name));
    const sending = new Sending(inOrder, () => {
      if (sending.nArrived && !isTold) this.tell("batch", sending.id);
      isTold ||= sending.nArrived > 0;
      this.#soon();
    });
    let isTold = false;
    this.sending = sending;
    [this.#followed, this.#wasFollowed] = [sending.id, false];
    this.#draw();
    const why = await sending.run();
    this.sending = null;
    this.#draw();
    if (why) {
      this.#followed = "";
      this.#say(why);
    }
    this.tell("batch", sending.id);
    this.element.querySelector("button")?.focus();
  }

  /** Draw once a frame, however much moves. */
  #soon() {
    if (this.#drawing) return;
    this.#drawing = requestAnimationFrame(() => { this.#drawing = 0; this.#draw(); });
  }

  /** @param {string} words */
  #say(words) {
    this.#said.textContent = words;
  }

  #draw() {
    const { sending } = this;
    this.#choose.hidden = sending !== null;
    this.#under.hidden = sending === null;
    if (!sending) return;
    const { nArrived, nFiles, nBytes, nBytesSent, waits } = sending;
    this.#bar.value = nBytes ? nBytesSent / nBytes : 0;
    const counted = `${nArrived.toLocaleString("en")} of ${nFiles.toLocaleString("en")} ${nFiles === 1 ? "file" : "files"}`;
    this.#words.textContent = `Sending ${counted}, ${sizeOf(nBytesSent)} of ${sizeOf(nBytes)}. ${waits}`.trim();
  }
}

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @param {string} [words]
 */
function element(tag, attributes, words = "") {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = words;
  return made;
}

/** @param {Record<string, string>} attributes */
function picker(attributes) {
  return /** @type {HTMLInputElement} */ (
    element("input", { type: "file", hidden: "", tabindex: "-1", ...attributes }));
}

/**
 * @param {string} words
 * @param {HTMLInputElement} input what the button opens
 */
function opener(words, input) {
  const made = element("span", {});
  const button = element("button", { type: "button" }, words);
  button.addEventListener("click", () => input.click());
  made.append(button, input);
  return made;
}

/** @type {Desk | null} */
let desk = null;

/** @param {StreamlitRun<UploadData>} run */
export default function draw({ data, parentElement, setTriggerValue }) {
  desk ??= new Desk(); // one for as long as the page is there: sending goes on on other pages
  desk.tell = setTriggerValue;
  if (desk.element.parentNode !== parentElement) parentElement.append(desk.element);
  desk.update(data);
}
