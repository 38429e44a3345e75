/** Colour maps as the browser paints them along a bar. */

const BAR_STEPS = 64;

/**
 * A CSS gradient of 256 colours from −limit to +limit, empty below a share of the limit.
 *
 * @param {number[]} lut
 * @param {number} threshold
 */
export function gradient(lut, threshold = 0) {
  const stops = [];
  for (let step = 0; step <= BAR_STEPS; step++) {
    const value = (2 * step) / BAR_STEPS - 1;
    const colour = 3 * (128 + Math.round(127 * value));
    const alpha = Math.abs(value) < threshold ? 0 : 1;
    stops.push(`rgb(${lut[colour]} ${lut[colour + 1]} ${lut[colour + 2]} / ${alpha})`);
  }
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
