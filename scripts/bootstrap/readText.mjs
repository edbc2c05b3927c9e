// Plain JavaScript: the bootstrap uses it before packages are installed, on any supported Node.
import { readFileSync } from "node:fs";

/**
 * The text of a file.
 *
 * @param {string} path
 * @returns {string | undefined} undefined when there is no such file
 */
export function readText(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  }
}
