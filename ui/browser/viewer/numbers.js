/** Numbers as people read them. */

const MINUS = "−";
const SMALL = 1e-4;
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/**
 * Four significant digits at most; very small numbers with a power of ten.
 *
 * @param {number} value
 */
export function number(value) {
  const size = Math.abs(value);
  if (size > 0 && size < SMALL) {
    const [digits, power] = value.toExponential(3).split("e-");
    return `${Number(digits)} × 10⁻${Array.from(power, (digit) => SUPERSCRIPTS[Number(digit)]).join("")}`
      .replace("-", MINUS);
  }
  const text = size >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
  return text.replaceAll("-", MINUS);
}

/**
 * Three significant digits with a sign.
 *
 * @param {number} value
 */
export function signed(value) {
  return (value > 0 ? "+" : "") + number(Number(value.toPrecision(3)));
}

/**
 * A signed share in whole percent.
 *
 * @param {number} value
 */
export function share(value) {
  const whole = Math.round(100 * value);
  return `${whole > 0 ? "+" : ""}${whole} %`.replace("-", MINUS);
}

/**
 * A share between 0 and 1 in percent, with one decimal below 10.
 *
 * @param {number} value
 */
export function percent(value) {
  const hundredths = 100 * value;
  return `${hundredths.toFixed(hundredths < 10 && hundredths > 0 ? 1 : 0)} %`;
}

/**
 * A duration still to wait.
 *
 * @param {number} seconds
 */
export function wait(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  return `${Math.round(seconds / 60)} min`;
}
