// What is checked of ui/browser and its tests beyond types; `make lint` runs it.
import js from "@eslint/js";
import globals from "globals";

const product = ["ui/browser/**/*.js"];
const tests = ["tests/ui/browser/**/*.js"];

export default [
  { files: [...product, ...tests], ...js.configs.recommended },
  { files: product, languageOptions: { globals: globals.browser } },
  { files: tests, languageOptions: { globals: globals.node } },
  {
    files: [...product, ...tests],
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "consistent-return": "error",
      curly: ["error", "multi-line"],
      eqeqeq: "error",
      "no-console": "error",
      "no-shadow": "error",
      "no-unused-private-class-members": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
    },
  },
];
