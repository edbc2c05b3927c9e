/** Hardhat's settings for contracts rewritten into `.ngpu/<name>/contracts`, which are larger than a chain would take. */
export function largeContracts(name: string) {
  const folder = `.ngpu/${name}`;
  return {
    paths: {
      sources: `${folder}/contracts`,
      artifacts: `${folder}/artifacts`,
      cache: `${folder}/cache`,
      tests: { solidity: `${folder}/none` },
    },
    networks: {
      default: {
        type: "edr-simulated",
        chainType: "op",
        allowUnlimitedContractSize: true,
        blockGasLimit: 300_000_000,
        transactionGasCap: false,
      },
    },
  } as const;
}
