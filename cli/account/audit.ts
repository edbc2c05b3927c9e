import { json, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { parseSeconds } from "../shared/units.ts";

type Options = GlobalOptions & { since: string; member?: string; usedKey?: string };

const columns = [
  { title: "TIME" },
  { title: "MEMBER", cut: true },
  { title: "KEY" },
  { title: "ACTION", cut: true },
  { title: "SUBJECT", cut: true },
  { title: "STATUS", right: true },
  { title: "FROM", cut: true },
];

/** Lists who did what, newest first. */
export async function showAudit(options: Options): Promise<void> {
  const settings = settingsOf(options);
  const query = {
    limit: 200,
    since: new Date(Date.now() - 1_000 * parseSeconds(options.since)).toISOString(),
    ...(options.member === undefined ? {} : { member: options.member }),
    ...(options.usedKey === undefined ? {} : { keyId: options.usedKey }),
  };
  const rows: string[][] = [];
  for await (const entry of partnerApi(settings).list("GET /v1/audit", { query })) {
    if (settings.json) print(json(entry));
    rows.push([
      entry.at.slice(0, 19).replace("T", " "),
      entry.member,
      entry.keyId,
      entry.action,
      entry.subject ?? entry.made ?? "",
      String(entry.status ?? "unknown"),
      entry.address ?? "",
    ]);
  }
  if (!settings.json) print(table(columns, rows));
}
