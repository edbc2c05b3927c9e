import { listDevices } from "../../../packages/proof/prover.ts";
import { findProgram, installPrograms, mayInstall, openCl } from "../../../scripts/bootstrap/system.mjs";

/** Place of the machine's CPU among the OpenCL devices; its driver is installed where this is possible. */
export async function cpuDevice(): Promise<number> {
  if (findProgram(openCl.program) === undefined && mayInstall())
    await installPrograms({ programs: [openCl], print: (line) => process.stderr.write(`${line}\n`) });
  if (findProgram(openCl.program) === undefined)
    throw new Error(`Install ${openCl.packages.join(" and ")}: these tests prove a CPU by OpenCL.`);
  const devices = await listDevices();
  const place = devices.findIndex(({ type }) => type === "cpu");
  if (place === -1) throw new Error("Install pocl-opencl-icd: these tests prove a CPU by OpenCL.");
  return place;
}
