import { FatalError } from "@ngpu/runtime/errors";
import { json, print } from "../shared/output.ts";
import { readProfiles, writeProfiles } from "../shared/profiles.ts";
import { table } from "../shared/table.ts";

/** Lists the profiles without their keys. With `use`, that one becomes the current one. */
export async function showProfiles({ use, json: isJson }: { use?: string; json?: boolean }): Promise<void> {
  const { current: before, profiles } = readProfiles();
  if (use !== undefined && profiles[use] === undefined) {
    throw new FatalError(`There is no profile ${use}.`, {
      code: "profile_not_found",
      hint: `Create it with ngpu login --profile ${use}. ngpu profiles lists all.`,
    });
  }
  const current = use ?? before;
  if (use !== undefined) writeProfiles({ current, profiles });
  const rows = Object.entries(profiles).map(([name, { api, wallet }]) => ({
    name,
    current: name === current,
    api,
    wallet,
  }));
  if (isJson === true) return print(json(rows));
  const columns = [
    { title: "" },
    { title: "PROFILE" },
    { title: "API", cut: true },
    { title: "WALLET", cut: true },
  ];
  print(
    table(
      columns,
      rows.map((row) => [row.current ? "*" : "", row.name, row.api, row.wallet]),
    ),
  );
}
