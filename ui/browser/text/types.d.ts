/** What `ui/panels/text.py` hands to masks.js, and hears. For checking only: no browser is served this file. */

type Box = [x: number, y: number, width: number, height: number];

interface TextCase {
  id: number;
  image: string;
  width: number;
  height: number;
  held: boolean;
  open: boolean;
  judged: boolean;
  why: string[];
  proposed: Box[];
  masks: Box[];
}

type TextAction = { kind: "release" | "mask"; case_id: number; image: string; masks: Box[] };
