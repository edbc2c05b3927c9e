import { json, print, status } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { ended } from "./find.ts";

const columns = [
  { title: "ID" },
  { title: "NAME", cut: true },
  { title: "STATUS" },
  { title: "REPLICAS", right: true },
  { title: "IMAGE", cut: true },
];

/** Lists the account's workspaces, newest first. */
export async function listWorkspaces(options: GlobalOptions & { all: boolean }): Promise<void> {
  const settings = settingsOf(options);
  const rows: string[][] = [];
  for await (const workspace of partnerApi(settings).list("GET /v1/workspaces", { query: { limit: 200 } })) {
    if (!options.all && ended.includes(workspace.status)) continue;
    const { id, name, image, replicas } = workspace;
    if (settings.json) print(json(workspace));
    else
      rows.push([
        id,
        name ?? "",
        status(workspace.status),
        `${replicas.running}/${replicas.wanted}`,
        shortImage(image),
      ]);
  }
  if (!settings.json) print(table(columns, rows));
}

/** An image with the start of its digest. */
const shortImage = (image: string) => image.replace(/@sha256:([0-9a-f]{12})[0-9a-f]+$/, "@$1");
