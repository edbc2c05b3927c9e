import type { Schema } from "@ngpu/api-client/client";
import { json, note, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { minute, parseSeconds } from "../shared/units.ts";

type Role = Schema<"Member">["role"];

const minuteOrNever = (time: string | null) => (time === null ? "never" : minute(time));

/** Lists the account's members. */
export async function listMembers(options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const { members } = await partnerApi(settings).call("GET /v1/members", {});
  if (settings.json) return print(json(members));
  const columns = ["WALLET", "ROLE", "NAME", "SINCE", "LAST USED"].map((title) => ({
    title,
    cut: title === "NAME",
  }));
  const rows = members.map(({ wallet, role, name, since, lastUsedAt }) => [
    wallet,
    role,
    name ?? "",
    minute(since),
    minuteOrNever(lastUsedAt),
  ]);
  print(table(columns, rows));
}

/** Lists the invitations that can still be accepted. */
export async function listInvitations(options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const { invitations } = await partnerApi(settings).call("GET /v1/members/invitations", {});
  if (settings.json) return print(json(invitations));
  const columns = ["INVITATION", "ROLE", "NAME", "WALLET", "EXPIRES"].map((title) => ({
    title,
    cut: title === "NAME",
  }));
  const rows = invitations.map(({ id, role, name, wallet, expiresAt }) => [
    id,
    role,
    name ?? "",
    wallet ?? "any",
    minute(expiresAt),
  ]);
  print(table(columns, rows));
}

type InviteOptions = GlobalOptions & { name?: string; for?: string; expires: string };

/** Invites a member and prints the invitation. */
export async function invite(role: Role, options: InviteOptions): Promise<void> {
  const settings = settingsOf(options);
  const body = {
    role,
    expiresInSeconds: parseSeconds(options.expires),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.for === undefined ? {} : { wallet: options.for }),
  };
  const invited = await partnerApi(settings).call("POST /v1/members/invitations", { body });
  if (settings.json) return print(json(invited));
  print(invited.invitation);
  note(`Shown only now. Its holder joins with ngpu login --wallet <file> --invitation <text>.`);
}

/** Revokes invitations. */
export async function revokeInvitations(ids: string[], options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const api = partnerApi(settings);
  for (const id of ids) {
    const revoked = await api.call("DELETE /v1/members/invitations/{id}", { path: { id } });
    print(settings.json ? json(revoked) : `Invitation ${id} is revoked.`);
  }
}

/** Changes the role of a member. */
export async function changeRole(wallet: string, role: Role, options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const changed = await partnerApi(settings).call("POST /v1/members/{wallet}", {
    path: { wallet },
    body: { role },
  });
  print(settings.json ? json(changed) : `${changed.wallet} has the role ${changed.role}.`);
}

/** Removes members. */
export async function removeMembers(wallets: string[], options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const api = partnerApi(settings);
  for (const wallet of wallets) {
    const removed = await api.call("DELETE /v1/members/{wallet}", { path: { wallet } });
    print(settings.json ? json(removed) : `${wallet} is no member any more. Its keys are revoked.`);
  }
}
