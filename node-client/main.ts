import { toJson } from "@ngpu/runtime/json";
import { start } from "@ngpu/runtime/lifecycle";
import { Command } from "commander";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addKeyCommands } from "./commands/keyCommands.ts";
import { addLogsCommand } from "./commands/logs.ts";
import { addMaintenanceCommands } from "./commands/maintenanceCommands.ts";
import { addOperatorCommands } from "./commands/operatorCommands.ts";
import { engineFacts, openEngine } from "./docker/engine.ts";
import { nodeKeyPlace, readLocalEnv, readMeasurerEnv, readNodeEnv } from "./env.ts";
import { runNode } from "./index.ts";
import { openIdentity } from "./keys/identity.ts";
import { runMeasurer } from "./measure/index.ts";
import { type Hardware, probeHardware } from "./probe/hardware.ts";
import { version } from "./version.ts";

const program = new Command("ngpu-node")
  .description("Joins this machine to an ngpu market. Configured by environment variables.")
  .version(version);

program
  .command("run")
  .description("run the compute node")
  .action(() => runNode(readNodeEnv()));

program
  .command("measure")
  .description("run a measurement node")
  .action(() => runMeasurer(readMeasurerEnv()));

program
  .command("identity")
  .description("print the address of this node's key; creates the key if it does not exist")
  .action(async () => {
    process.stdout.write(`${(await openIdentity(nodeKeyPlace(readLocalEnv()))).address}\n`);
  });

program
  .command("probe")
  .description("print the hardware this machine would offer")
  .option("--json", "as JSON")
  .action(async ({ json }: { json?: true }) => {
    const hardware = await probe();
    process.stdout.write(`${json ? toJson(hardware, 2) : describe(hardware)}\n`);
  });

addOperatorCommands(program);
addKeyCommands(program);
addMaintenanceCommands(program);
addLogsCommand(program);
addDoctorCommand(program);

await start(async () => {
  await program.parseAsync();
});

async function probe(): Promise<Hardware & { dataDir: string }> {
  const env = readLocalEnv();
  const engine = openEngine({ socket: env.NODE_DOCKER_SOCKET, market: "", node: "" });
  const { dataDir } = await engineFacts(engine.docker);
  return { dataDir, ...(await probeHardware(dataDir, env)) };
}

function describe({ gpus, sickGpus, cpuMilli, memoryMib, diskGib, ports }: Hardware): string {
  const [gpu] = gpus;
  const kind = gpu === undefined ? "none" : `${gpus.length} × ${gpu.name}, ${gpu.memoryMib} MiB each`;
  return [
    `GPUs    ${kind}`,
    ...sickGpus.map((gpu) => `        not offered: ${gpu.name ?? gpu.id} (${gpu.code}): ${gpu.detail}`),
    `CPU     ${cpuMilli / 1000} cores`,
    `Memory  ${memoryMib} MiB`,
    `Disk    ${diskGib} GiB`,
    `Ports   ${ports}`,
  ].join("\n");
}
