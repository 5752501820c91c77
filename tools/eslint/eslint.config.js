/** The dashboard's JavaScript: modules for the browser, without a build step. Run by `make check`. */

import js from "@eslint/js";
import globals from "globals";

const HTML = "a text from a log may hold markup: build nodes with h() of dom.js";

export default [
    { linterOptions: { reportUnusedDisableDirectives: "error" } },
    js.configs.recommended,
    {
        files: ["**/*.js"],
        languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: globals.browser },
        rules: {
            "array-callback-return": "error",
            "default-case-last": "error",
            eqeqeq: ["error", "always", { null: "ignore" }],
            "no-caller": "error",
            "no-console": "error",
            "no-constructor-return": "error",
            "no-duplicate-imports": "error",
            "no-eval": "error",
            "no-extend-native": "error",
            "no-implied-eval": "error",
            "no-new-func": "error",
            "no-param-reassign": "error",
            "no-promise-executor-return": "error",
            "no-restricted-properties": [
                "error",
                { property: "innerHTML", message: HTML },
                { property: "outerHTML", message: HTML },
                { property: "insertAdjacentHTML", message: HTML },
                { object: "document", property: "write", message: HTML },
            ],
            "no-return-assign": "error",
            "no-self-compare": "error",
            "no-sequences": "error",
            "no-shadow": "error",
            "no-template-curly-in-string": "error",
            "no-throw-literal": "error",
            "no-unmodified-loop-condition": "error",
            "no-unreachable-loop": "error",
            "no-use-before-define": ["error", { functions: false, variables: false }],
            "no-useless-concat": "error",
            "no-useless-return": "error",
            "no-var": "error",
            "object-shorthand": "error",
            "prefer-const": "error",
            "prefer-promise-reject-errors": "error",
            radix: "error",
            "require-await": "error",
            yoda: "error",
        },
    },
];
