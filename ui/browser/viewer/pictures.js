/** The pixels and maps of cases, decoded: the open one, its neighbours, and the last few. */

import { drawnCells } from "./agreement.js";
import { decodeMap } from "./attribution.js";
import { decodeImage } from "./image.js";
import { Recent } from "./recent.js";

const N_IMAGES = 8;
const N_MAPS = 24;
const N_PAIRS = 24;

/** @type {Recent<ImageEntry, DecodedImage>} */
const images = new Recent(N_IMAGES, async (url, shape) => decodeImage(await bytes(url), shape));
/** @type {Recent<MadeMap, DecodedMap>} */
const maps = new Recent(N_MAPS, async (url, shape) => decodeMap(await bytes(url), shape));
/** @type {Recent<number[], Agreement & { map: DrawableMap }>} */
const pairs = new Recent(N_PAIRS, async (url) => {
  /** @type {Agreement & { picture: Cells }} */
  const { picture, ...numbers } = await (await reply(url)).json();
  return { ...numbers, map: drawnCells(picture) };
});

/**
 * The decoded pixels of a case.
 *
 * @param {Case} opened
 */
export function imageOf(opened) {
  return images.get(opened.image.url, opened.image);
}

/**
 * The decoded maps of a case, in its order; null where there is none yet, an Error where it failed.
 *
 * @param {Case} opened
 * @returns {Promise<LoadedMap[]>}
 */
export function mapsOf(opened) {
  return Promise.all(opened.maps.map((map) => {
    if (map.url === null) return null;
    return maps.get(map.url, map).catch((error) => error);
  }));
}

/**
 * How far two maps agree, and the picture of where they do not.
 *
 * @param {number[]} ids of the two maps
 */
export function agreementOf(ids) {
  return pairs.get(`/api/agreement/${ids.join("/")}`, ids);
}

/**
 * Begin to load a case that may be opened next.
 *
 * @param {Case} opened
 */
export function prefetch(opened) {
  imageOf(opened).catch(() => {});
  mapsOf(opened);
}

/** What the server has of a picture is damaged or gone; it says so in words. */
export class Damaged extends Error {}

/** @param {string} url */
async function bytes(url) {
  return (await reply(url)).arrayBuffer();
}

/** @param {string} url */
async function reply(url) {
  const found = await fetch(url, { credentials: "same-origin" });
  if (found.status === 401) throw new Error("the session has ended: sign in again");
  if (found.status === 410) throw new Damaged(await found.text());
  if (!found.ok) throw new Error(`the server answered ${found.status}`);
  return found;
}
