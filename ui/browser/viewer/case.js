/** A case and its maps as they are asked for. All functions are pure. */

/**
 * What must be equal for a case to count as the one already on screen; a map that is there has a job
 * while its damaged file is made again.
 *
 * @param {Case | null} opened
 */
export function identity(opened) {
  return opened && JSON.stringify([opened.id, opened.model_id, opened.target, opened.token,
    opened.maps.map((map) => [map.method, map.id, map.id !== null && map.job !== null]), opened.pending]);
}

/**
 * What asks for the maps of a case.
 *
 * @param {Pick<Case, "id" | "model_id" | "target" | "recipe" | "maps">} opened
 * @param {string[]} methods
 * @returns {ExplainAction}
 */
export function explain({ id, model_id, target, recipe, maps }, methods = methodsOf({ maps })) {
  return { kind: "explain", case_id: id, model_id, target, methods, ...recipe };
}

/**
 * The methods of a case with another one at a place; one that is shown elsewhere changes places.
 *
 * @param {Pick<Case, "maps">} opened
 * @param {number} place
 * @param {string} method
 */
export function methodsWith(opened, place, method) {
  const methods = methodsOf(opened);
  const other = methods.indexOf(method);
  if (other >= 0) methods[other] = methods[place];
  methods[place] = method;
  return methods;
}

/**
 * The case on screen until the server has opened what an action asks for.
 *
 * @param {Case} opened
 * @param {ExplainAction} action
 * @param {Site} site
 * @returns {Case}
 */
export function awaiting(opened, { target, methods, preset, stepping, baseline }, { families }) {
  const shown = opened.recipe;
  const same = target === opened.target && preset === shown?.preset
    && stepping === shown?.stepping && baseline === shown?.baseline;
  const names = new Map(families.flatMap((family) => family.methods.map(({ key, name }) => [key, name])));
  const maps = methods.map((method) => (same && opened.maps.find((map) => map.method === method))
    || missing(method, names.get(method) ?? method));
  return { ...opened, pending: true, maps };
}

/**
 * @param {string} method
 * @param {string} name
 * @returns {MissingMap}
 */
function missing(method, name) {
  return {
    method, name, unit: "", job: null, check: null, id: null, url: null, picture: null, pending: true,
  };
}

/** @param {Pick<Case, "maps">} opened */
function methodsOf({ maps }) {
  return maps.map((map) => map.method);
}
