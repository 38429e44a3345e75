/** What `ui/worklist/table.py` hands to table.js. For checking only: no browser is served this file. */

interface WorklistRow {
  id: number;
  has_thumbnail: boolean;
  facts: string[];
  study: { words: string; href: string } | null;
  status: string;
  status_words: string;
  progress: number | null;
  stage: string | null;
  error: string | null;
  predictions: { model: string; version: string; label: string; score: number }[];
  flags: string[];
  verdicts: { opinion: string; words: string; by: string; title: string }[];
  received: string;
}

interface WorklistData { rows: WorklistRow[]; review: string; page: number; now: string }
