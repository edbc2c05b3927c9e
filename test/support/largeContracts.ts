/** Hardhat settings for the instrumented contracts in `.ngpu/<name>/contracts`, which exceed the code size limit. */
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
