// The rules of `npm run lint:contracts`. What is off has its reason beside it.
module.exports = {
  extends: "solhint:recommended",
  rules: {
    "compiler-version": ["error", "0.8.37"],
    // Constructors have no visibility since Solidity 0.7.
    "func-visibility": ["error", { ignoreConstructors: true }],
    // Immutables are named like the other private variables.
    "immutable-vars-naming": ["error", { immutablesAsConstants: false }],
    // A function with an assembly block is as long as the block.
    "function-max-lines": ["error", 56],
    reentrancy: "error",
    "avoid-low-level-calls": "error",
    "no-unchecked-calls": "error",
    "not-rely-on-block-hash": "error",
    // The mutation tests change every assembly block (test/mutation/yulOperators.ts).
    "no-inline-assembly": "off",
    // Interfaces that join others, constructors that only call their parents', and hooks have empty bodies.
    "no-empty-blocks": "off",
    // solc resolves the imports.
    "import-path-check": "off",
    // test/solidity/sources.test.ts requires the documentation of what can be called; this rule also means internal functions.
    "use-natspec": "off",
    // Gas is measured: `npm run bench -- gas`.
    "gas-calldata-parameters": "off",
    "gas-increment-by-one": "off",
    "gas-indexed-events": "off",
    "gas-length-in-loops": "off",
    "gas-small-strings": "off",
    "gas-strict-inequalities": "off",
    "gas-struct-packing": "off",
  },
};
