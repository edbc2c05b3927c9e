import { FatalError } from "@ngpu/runtime/errors";
import { json, print, safe } from "../shared/output.ts";
import { apiOf, type GlobalOptions, type Settings, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { hourly } from "../shared/units.ts";
import type { Manifest } from "./manifest.ts";

/** Lists the templates of the market. */
export async function listTemplates(options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const { templates } = await apiOf(settings).call("GET /v1/templates", {});
  if (settings.json) return print(json(templates));
  const columns = [
    { title: "TEMPLATE" },
    { title: "TITLE", cut: true },
    { title: "NGPU/H AT MOST", right: true },
  ];
  const rows = templates.map(({ name, title, workspace }) => [
    name,
    safe(title),
    hourly(String(workspace.maxPricePerSecond)),
  ]);
  print(templates.length === 0 ? "This market has no templates." : table(columns, rows));
}

/** The fields of a template. @throws FatalError `template_not_found`. */
export async function templateFields(settings: Settings, name: string): Promise<Manifest> {
  const { templates } = await apiOf(settings).call("GET /v1/templates", {});
  const found = templates.find((one) => one.name === name);
  if (found !== undefined) return found.workspace;
  throw new FatalError(`The market has no template ${name}.`, {
    code: "template_not_found",
    hint: "ngpu templates lists them.",
  });
}
