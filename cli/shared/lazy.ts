import type { Command } from "commander";

// Commander passes the arguments of a command, its options and itself; their types are those of its description.
// biome-ignore lint/suspicious/noExplicitAny: The arguments differ by command.
type Action = (...args: any[]) => Promise<void>;

/** An action that is loaded when it runs. It gets the command's arguments, then its options with the global ones. */
export function lazy(load: () => Promise<Action>): Action {
  return async (...args: unknown[]) => {
    const command = args.at(-1) as Command;
    const action = await load();
    await action(...args.slice(0, -2), command.optsWithGlobals());
  };
}
