import { commonVariables, meaningOf, programs } from "../../envPrograms.ts";
import { code, item, pageHead, plain } from "../markdown.ts";
import type { Page } from "./page.ts";

const HEAD = `Environment variables of every program, the same as in [\`.env.example\`](../../.env.example). An empty
variable counts as unset. At its start a program reports all missing and invalid variables together.`;

/** Built from the schemas of the programs' environments. */
export function variablesPage(): Page {
  const text = programs
    .map(({ title, variables }) => {
      const lines = Object.entries(variables)
        .filter(([name]) => variables === commonVariables || !(name in commonVariables))
        .map(([name, schema]) => {
          const { need, shown, says } = meaningOf(name, schema);
          const how = need === "default shown" ? `default ${shown === "" ? "empty" : code(shown)}` : need;
          return item(`${code(name)} (${how}): ${plain(says)}.`);
        });
      return `\n## ${title}\n\n${lines.join("\n")}\n`;
    })
    .join("");
  return { text: pageHead("Variables", HEAD) + text, problems: [] };
}
