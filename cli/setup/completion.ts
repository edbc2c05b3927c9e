import type { Command, Option } from "commander";
import { print } from "../shared/output.ts";

/** What the shell scripts call: `ngpu __complete <words>`; the last word is the one that is typed. */
const scripts: Record<string, string> = {
  bash: `_ngpu() {
  local line
  COMPREPLY=()
  while IFS=$'\\t' read -r line _; do
    COMPREPLY+=("$line")
  done < <(ngpu __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _ngpu ngpu`,
  zsh: `#compdef ngpu
_ngpu() {
  local -a found
  local line
  while IFS=$'\\t' read -r line text; do
    found+=("\${line//:/\\\\:}:$text")
  done < <(ngpu __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#found} )); then _describe ngpu found; else _files; fi
}
if [ "$funcstack[1]" = _ngpu ]; then _ngpu "$@"; else compdef _ngpu ngpu; fi`,
  fish: `function __ngpu_complete
    set -l words (commandline -opc) (commandline -ct)
    ngpu __complete -- $words[2..-1] 2>/dev/null
end
complete -c ngpu -f -n 'test -n "$(__ngpu_complete)"' -a '(__ngpu_complete)'`,
};

/** Prints the completion script of a shell. */
export async function printScript(shell: string): Promise<void> {
  print(scripts[shell] ?? "");
}

/** The words that may follow, each with its description after a tab. None: the shell completes files. */
export function candidates(program: Command, words: readonly string[]): string[] {
  const typed = words.at(-1) ?? "";
  const { command, open } = walk(program, words.slice(0, -1));
  const found = open !== undefined ? valuesOf(open) : wordsOf(program, command, typed);
  return found.filter(([word]) => word.startsWith(typed)).map(([word, says]) => `${word}\t${says}`);
}

/** The command that words lead to, and the option that expects a value next. */
function walk(program: Command, words: readonly string[]): { command: Command; open: Option | undefined } {
  let command = program;
  let open: Option | undefined;
  for (const word of words) {
    if (open !== undefined) open = undefined;
    else if (word.startsWith("-")) {
      const option = [...command.options, ...program.options].find(
        ({ short, long }) => short === word || long === word,
      );
      open = option !== undefined && (option.required || option.optional) ? option : undefined;
    } else command = command.commands.find((each) => each.name() === word) ?? command;
  }
  return { command, open };
}

const valuesOf = (option: Option) =>
  (option.argChoices ?? []).map((choice): [string, string] => [choice, ""]);

function wordsOf(program: Command, command: Command, typed: string): [string, string][] {
  if (typed.startsWith("-")) {
    const options = [...new Set([...command.options, ...program.options])];
    return options.map((option) => [option.long ?? option.flags, option.description]);
  }
  const hidden = (each: Command) => each.name().startsWith("__");
  const names = command.commands
    .filter((each) => !hidden(each))
    .map((each): [string, string] => [each.name(), each.description()]);
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  return [...names, ...choices.map((choice): [string, string] => [choice, ""])];
}
