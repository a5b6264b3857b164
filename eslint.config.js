// The rules for the script of the pages; which names exist is TypeScript's to say (tsconfig.json).
const { configs } = require("@eslint/js");

module.exports = [
  {
    files: ["theme/static/*.js", "theme/desk/*.js"],
    languageOptions: { sourceType: "script" },
    rules: {
      ...configs.recommended.rules,
      "no-undef": "off",
      "no-empty": ["error", { allowEmptyCatch: true }],
      "no-var": "error",
      "prefer-const": "error",
      eqeqeq: "error",
      "no-restricted-syntax": [
        "error",
        { selector: "TemplateLiteral TemplateLiteral", message: "rjsmin takes spaces out of a template in a template." },
      ],
    },
  },
];
