import { Argument, type Command } from "commander";
import { lazy } from "../shared/lazy.ts";

/** Checks of the caller's machine, and completion. */
export function addSetupCommands(program: Command): void {
  program
    .command("doctor")
    .description("check this machine, the API, the key, the clock, the balance and the chain")
    .action(lazy(async () => (await import("../setup/doctor.ts")).doctor));
  program
    .command("mcp")
    .description("serve the market to an agent: a Model Context Protocol server on stdin and stdout")
    .option("--read-only", "only tools that change nothing", false)
    .action(lazy(async () => (await import("../mcp/mcp.ts")).serveMcp));
  program
    .command("completion")
    .description("print a completion script for a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish"]))
    .addHelpText("after", completionHelp)
    .action(lazy(async () => (await import("../setup/completion.ts")).printScript));
  program
    .command("__complete", { hidden: true })
    .argument("[words...]")
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: string[]) => {
      const { candidates } = await import("../setup/completion.ts");
      process.stdout.write(
        candidates(program, words)
          .map((line) => `${line}\n`)
          .join(""),
      );
    });
}

const completionHelp = `
Examples:
  bash  echo 'source <(ngpu completion bash)' >> ~/.bashrc
  zsh   echo 'source <(ngpu completion zsh)' >> ~/.zshrc
  fish  ngpu completion fish > ~/.config/fish/completions/ngpu.fish`;
