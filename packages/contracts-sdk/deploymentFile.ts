import { readFileSync } from "node:fs";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { type Deployment, parseDeployment } from "./deployment.ts";

/** @throws FatalError `deployment_unreadable` or `deployment_invalid`. */
export function readDeployment(path: string): Deployment {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new FatalError(`The deployment file ${path} cannot be read: ${messageOf(error)}.`, {
      code: "deployment_unreadable",
      hint: "Set DEPLOYMENT_FILE to the file written by the deployment.",
      cause: error,
    });
  }
  try {
    return parseDeployment(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new FatalError(`The deployment file ${path} is not JSON.`, {
      code: "deployment_invalid",
      hint: "Recreate it with `npm run deploy`.",
      cause: error,
    });
  }
}
