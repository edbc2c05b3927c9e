import { InvalidArgumentError } from "commander";

/**
 * A parser for a command-line option that is a whole number of at least `minimum`.
 * The parser throws InvalidArgumentError for anything else.
 */
export function wholeNumber(minimum: 0 | 1): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= minimum) return value;
    throw new InvalidArgumentError(`It must be a whole number of at least ${minimum}.`);
  };
}
