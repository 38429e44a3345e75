/**
 * What the viewer's modules hand each other. For checking only: no browser is served this file.
 *
 * The first half mirrors `ui/viewer/payload.py`, `desk.py`, `component.py`, `actions.py` and
 * `schema.py`: what one side changes, the other must.
 */

// --- from the server ------------------------------------------------------------------------

type Plausibility = "plausible" | "implausible" | "unsure";
type Opinion = "accept" | "modify" | "reject" | "cannot_assess";
/** What is said of one finding. */
type Call = "present" | "absent" | "indeterminate";
/** How the model's reason is judged, apart from its answer. */
type Reasoning = "sound" | "unsound" | "unsure";

interface Job {
  id: number;
  status: "queued" | "running" | "done" | "failed" | "cancelled";
  stage: string | null;
  fraction: number | null;
  seconds_left: number | null;
  error: string | null;
}

interface TrustRow { group: string; name: string; value: string; chance: string; anchor: string }

interface Trust {
  badge: "good" | "caution" | "poor";
  reasons: string[];
  thorough: boolean;
  rows: TrustRow[];
  notes: string[];
}

interface NamedMap { method: string; name: string; unit: string; job: Job | null; check: Job | null }

interface MadeMap extends NamedMap {
  id: number;
  url: string;
  picture: string;
  width: number;
  height: number;
  relative_delta: number | null;
  how: string;
  warnings: string[];
  trust: Trust;
  beware: string;
  pending?: undefined;
}

interface MissingMap extends NamedMap {
  id: null;
  url: null;
  picture: null;
  /** Asked for a moment ago: the server has not answered yet. */
  pending?: true;
}

type MapEntry = MadeMap | MissingMap;

interface ImageEntry {
  url: string;
  width: number;
  height: number;
  channels: number;
  bits: number;
  window: [number, number];
  /** Lowest and highest value of what is no part of the picture: black under every window. */
  padding: [number, number] | null;
  curve: "linear" | "sigmoid";
  /** Height of a pixel over its width. */
  aspect: number;
  slope: number;
  intercept: number;
  unit: string;
}

interface Score { index: number; label: string; score: number }

/** A class that is a question of its own: present from its threshold on. */
interface Finding extends Score { threshold: number; present: boolean; asked: boolean }

interface Prediction extends Score {
  id: number;
  /** In words, and the class that it is about first of all. */
  answer: { label: string; index: number };
  /** Exactly one class is right, or each is a finding for itself. */
  kind: "class" | "findings";
  /** Of a model of one class: the highest scores. */
  top: Score[];
  /** Those present first, then those asked about, then by score; empty where one class is right. */
  findings: Finding[];
  geometry: Rectangle;
  target: { index: number; label: string };
  model: { name: string; version: string; weights: string; limits: string };
}

interface Recipe { preset: string; baseline: string; stepping: string }

interface EarlierVerdict {
  id: number;
  /** What was said of the answer and of the reason. */
  words: string;
  said: Omit<Draft, "opinion"> & { opinion: Opinion };
  current: boolean;
  at: string;
  /** Who made the link by which the reader had come, if it was not the reader. */
  by_link_of: string | null;
}

/** A draft as the server has it; its times compare as texts. */
interface ServerDraft { content: Draft; at: string }

interface Case {
  id: number;
  model_id: number | null;
  target: number | null;
  token: string;
  image: ImageEntry;
  synthetic: boolean;
  facts: string[];
  notes: string[];
  models: { id: number; name: string; version: string; answer: string }[];
  prediction: Prediction | null;
  maps: MapEntry[];
  recipe: Recipe | null;
  verdicts: EarlierVerdict[];
  draft: ServerDraft | null;
  /** The maps that can be opened. */
  pictures: string[];
  /** Asked for a moment ago: the server has not answered yet. */
  pending?: true;
}

interface Place {
  position: number | null;
  n_total: number;
  previous_id: number | null;
  next_id: number | null;
  next_unread_id: number | null;
  next_unread_key: string | null;
}

/** Who looks. */
interface Account { id: number; may_sign: boolean }

interface Recipes { presets: string[]; steppings: string[]; baselines: string[] }

interface Empty { title: string; words: string; links: { label: string; href: string }[] }

interface Family { name: string; methods: { key: string; name: string; question: string }[] }

/** What an opinion does not stand without: something wrong with the answer, or a change. */
type Need = "reason" | "change";

interface Reason { key: string; words: string; of: "answer" | "reasoning" }

interface Site {
  pair: string[];
  families: Family[];
  lut: number[];
  contrast_lut: number[];
  reasons: Reason[];
  opinions: Record<Opinion, string>;
  needs: Partial<Record<Opinion, Need>>;
  reasonings: Record<Reasoning, string>;
  calls: Record<Call, string>;
  plausibility: { key: Plausibility; words: string }[];
  max_comment: number;
  caution: string;
  not_for_diagnosis: string;
}

/** How far two maps agree; what cannot be measured is null. */
interface Agreed {
  spearman: number | null;
  top_k_iou: number | null;
  sign: number | null;
  ssim: number | null;
}

/** Beside what the same maps reach when one is shifted over the other. */
interface Agreement extends Agreed { by_chance: Agreed }

/** The values of cells, and at which pixels their rows and columns begin. */
interface Cells extends Size { rows: number[]; columns: number[]; cells: number[][] }

interface DeskBase {
  classes: Record<string, string[]>;
  cases: Record<string, Case>;
  place: Place | null;
  reader: Account;
  site: Site;
  /** The number of the last action that was done, and the answer to it. */
  seq: number;
  reply: Reply | null;
}

interface OpenDesk extends DeskBase { current: number; recipes: Recipes; empty: null }
interface EmptyDesk extends DeskBase { current: null; recipes?: undefined; empty: Empty }

/** What lies open: what one run of the page's script says. */
type Desk = OpenDesk | EmptyDesk;

// --- to the server --------------------------------------------------------------------------

interface ExplainAction extends Partial<Recipe> {
  kind: "explain";
  case_id: number;
  model_id: number | null;
  target: number | null;
  methods: string[];
}

interface VerdictAction {
  kind: "verdict";
  request_id: string;
  reader_id: number;
  case_id: number;
  prediction_id: number;
  evidence_token: string;
  explanation_ids: number[];
  opinion: Opinion;
  reasons: string[];
  corrected_label: string | null;
  findings: Record<string, Call>;
  reasoning: Reasoning | null;
  plausibility: Record<string, Plausibility>;
  comment: string;
  boxes: Rectangle[];
  exposure: "explanation" | "prediction";
  active_seconds: number;
  /** The reader's verdict that stood on screen. */
  supersedes_id: number | null;
  next_id: number | null;
}

type Action =
  | ExplainAction
  | VerdictAction
  | { kind: "withdraw"; request_id: string; verdict_id: number; case_id: number; model_id: number | null }
  | { kind: "open"; case_id: number; model_id?: number }
  | { kind: "check" | "again"; explanation_id: number }
  | { kind: "cancel" | "retry"; job_id: number; case_id?: number }
  | { kind: "refresh" };

type Numbered<A> = A & { seq: number };
type Act = (action: Action) => void;
type Reply = { ok: true; verdict_id?: number } | { ok: false; words: string };

// --- within the browser ---------------------------------------------------------------------

interface Point { x: number; y: number }
interface Size { width: number; height: number }
interface Rectangle extends Point, Size {}

/** An image's size, and how much taller than wide its pixels are. */
interface Drawn extends Size { aspect: number }

/**
 * Which part of the image is shown: CSS pixels per image pixel across, how many times as many down,
 * and the point at a pane's centre.
 */
interface View extends Point { scale: number; aspect: number }

interface GreyWindow { low: number; high: number }

interface Preferences { heat: boolean; compared: boolean; opacity: number; threshold: number }

/** How things are shown. */
interface Looks extends Preferences { window: GreyWindow; inverted: boolean; tool: "pan" | "box" }

interface Level extends Size { data: Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> }
interface DecodedImage extends Drawn {
  channels: number;
  bits: number;
  padding: [number, number] | null;
  curve: "linear" | "sigmoid";
  levels: Level[];
}

interface DrawableMap extends Size { readonly values: Float32Array; limit: number }
type DecodedMap =
  | (DrawableMap & { problem: null })
  | (Size & { values: Float32Array; limit: null; problem: string });
/** A decoded map, why it could not be loaded, or null while it loads or where there is none. */
type LoadedMap = DecodedMap | Error | null;

interface Draft {
  opinion: Opinion | null;
  reasons: string[];
  corrected: string | null;
  /** By name. */
  findings: Record<string, Call>;
  reasoning: Reasoning | null;
  /** By picture. */
  plausibility: Record<string, Plausibility>;
  comment: string;
  boxes: Rectangle[];
}

/** Whose a draft is. */
interface Reader { id: number }

/** Names a prediction. */
interface Judged { id: number; prediction: { id: number } | null }

/**
 * What a tab has of a draft: the state of the server's that it follows, whether the server has it
 * as it is here, and what was sent and not answered.
 */
interface Kept {
  draft: Draft | null;
  base: string | null;
  saved: boolean;
  sent: Draft[];
  at: number;
}

/** A verdict that the server has not confirmed. */
interface Waiting {
  action: VerdictAction;
  /** Which opinion, on which case. */
  words: string;
  draft: Draft;
  opened: Judged & { model_id: number | null };
  at: number;
}

/** A case as it is drawn; of its maps those that may be. */
interface Scene {
  opened: Case;
  image: DecodedImage;
  maps: (DrawableMap | null)[];
  boxes: Rectangle[];
}

type Choice = [words: string, does: () => void];

/** What a key does, also while it repeats itself, and when it is let go after having been held. */
interface Command { run: () => void; repeats?: boolean; release?: () => void }

type Child = Node | string | number | null | undefined | Child[];

interface Attributes {
  onclick?: (event: MouseEvent) => void;
  oninput?: (event: Event) => void;
  onchange?: (event: Event) => void;
  onfocus?: (event: FocusEvent) => void;
  onblur?: (event: FocusEvent) => void;
  onkeydown?: (event: KeyboardEvent) => void;
  onpointerdown?: (event: PointerEvent) => void;
  [name: string]: unknown;
}
