// Simulates the market's rules: npm run sim -- waves --nodes 4000 --seed 1
import { start } from "@ngpu/runtime/lifecycle";
import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import { type SimulationOptions, type SimulationReport, simulate } from "@ngpu/waves/simulation/report";
import { Command } from "commander";

const program = new Command("npm run sim --").description("Simulates the market's rules (docs/trust.md)");

program
  .command("waves")
  .description("waves of the proof of hardware: honest nodes, and liars among them")
  .option("--nodes <number>", "honest nodes", wholeNumber(1), 4_000)
  .option("--waves <number>", "waves after the first ones", wholeNumber(1), 60)
  .option("--seed <number>", "of all draws", wholeNumber(0), 1)
  .option("--chase-blocks <number>", "blocks of the chase", wholeNumber(1))
  .option("--work-blocks <number>", "blocks of the arithmetic", wholeNumber(1))
  .option("--json", "one line of JSON")
  .action(({ json, ...options }: SimulationOptions & { json?: true }) => {
    const report = simulate(options);
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : textOf(report));
  });

function textOf(report: SimulationReport): string {
  const percent = (share: number) => `${(100 * share).toFixed(2)}%`;
  const lines = [
    `${report.nodes} honest nodes, ${report.waves} waves, ${report.held} held, seed ${report.seed}`,
    `under-proven: ${report.underProvenPer10000} of 10,000 node waves`,
    ...report.honest.map(({ kind, nodeWaves, per10000 }) => `  ${kind}: ${per10000} (${nodeWaves} waves)`),
    "liars: most names paid at once, the most of what they have, and the mean",
    ...report.liars.map(
      ({ kind, mostPaid, mostShare, meanShare }) =>
        `  ${kind}: ${mostPaid}, ${percent(mostShare)}, ${percent(meanShare)}`,
    ),
    "other conditions: waves held, and under-proven of 10,000",
    ...report.sweeps.map(({ condition, held, per10000 }) => `  ${condition}: ${held}, ${per10000}`),
    "thresholds of devices",
    ...report.thresholds.map((own) => `  ${JSON.stringify(own)}`),
    "share of the published bandwidth that random reads need",
    ...report.neededShares.map(({ model, share }) => `  ${model}: ${percent(share)}`),
    `30% of the measurers collude: ${percent(report.measurers.falsePass)} of the waves pass a lie`,
    `they withhold so many reveals that there is no verdict: ${percent(report.measurers.withheld)}`,
  ];
  return `${lines.join("\n")}\n`;
}

await start(async () => {
  await program.parseAsync();
});
