import { InvalidArgumentError } from "commander";

/** Reads an option that is a whole number, `least` at least. @throws InvalidArgumentError from what it gives */
export function wholeNumber(least: 0 | 1): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} on.`);
  };
}
