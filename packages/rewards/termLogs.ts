import { type ChainLog, number } from "./chainLogs.ts";
import { type RewardTerms, type TermsArgument, termsOf, unpackTerms } from "./terms.ts";

/** The terms of an epoch at a generation of Pomc; undefined before there are any. */
export function termsInLogs(
  logs: readonly ChainLog[],
  generation: number,
  epoch: number,
): RewardTerms | undefined {
  const sets = logs.filter((log) => log.name === "TermsSet" && log.generation === generation);
  return termsOf(
    sets.map(({ args }) => ({
      fromEpoch: number(args.fromEpoch),
      terms: unpackTerms(lowerCased(args.terms as TermsArgument)),
    })),
    epoch,
  );
}

/** The fields as numbers and bigints, whatever the decoder made of small integers. */
function lowerCased(terms: TermsArgument): TermsArgument {
  const { measurerBasisPoints, taskBasisPoints, nodeTaskBasisPoints, payerTaskBasisPoints } = terms;
  const { measurerRate, bond, bondEpochs, bondDays, bondUptimePermille, catalogue, classes } = terms;
  return {
    measurerBasisPoints,
    taskBasisPoints,
    nodeTaskBasisPoints,
    payerTaskBasisPoints,
    measurerRate,
    bond,
    bondEpochs,
    bondDays,
    bondUptimePermille,
    catalogue,
    classes,
  };
}
