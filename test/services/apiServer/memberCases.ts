import { createPool } from "@ngpu/db/pool";
import { expect } from "chai";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { type Role, roleNames, roleScopes } from "../../../services/apiServer/roles.ts";
import { scopesOf } from "../../../services/apiServer/scopes.ts";
import { eventually } from "../support/context.ts";
import { type Client, signedMessage, signIn } from "./client.ts";
import type { ApiMarket } from "./setup.ts";

type Opened = { wallet: string; member: string; role: Role; keyId: string; apiKey: string };
type Invited = { id: string; invitation: string };
type Entry = {
  id: string;
  member: string;
  keyId: string;
  action: string;
  subject: string | null;
  status: number | null;
  made: string | null;
  address: string | null;
};
type Entries = { entries: Entry[]; next: string | null };
type Operations = Record<string, Record<string, { tags: string[]; security: unknown[] }>>;

const newWallet = () => privateKeyToAccount(generatePrivateKey());
const addressOf = (account: PrivateKeyAccount) => account.address.toLowerCase();
const codeOf = ({ status, body }: { status: number; body: unknown }) => {
  const { code, error } = body as { code?: string; error?: { code: string } };
  return [status, code ?? error?.code];
};

/** An account with its owner, and a way to add members. */
async function team(api: ApiMarket) {
  const wallet = newWallet();
  const owner = await signIn(api.client, wallet);
  const signInTo = async (account: PrivateKeyAccount, more: Record<string, unknown>) =>
    api.client.post<Opened>("/v1/accounts", { ...(await signedMessage(api.client, account)), ...more });
  const invite = async (role: Role, more: Record<string, unknown> = {}, by: Client = owner) =>
    by.post<Invited>("/v1/members/invitations", { role, ...more });
  const add = async (role: Role) => {
    const account = newWallet();
    const { invitation } = (await invite(role)).body;
    const { status, body } = await signInTo(account, { invitation });
    expect(status).to.equal(201);
    return { account, body, client: api.client.withKey(body.apiKey) };
  };
  return { wallet: addressOf(wallet), owner, signInTo, invite, add };
}

/** Facts about members of accounts, for a suite that has a market. */
export function memberCases(market: () => ApiMarket): void {
  it("let members do what their role allows, and refuse each other operation", async () => {
    const api = market();
    const { paths } = api.contract.document as unknown as { paths: Operations };
    const { add } = await team(api);
    let calls = 0;
    for (const role of roleNames) {
      const { client } = await add(role);
      for (const [path, methods] of Object.entries(paths)) {
        for (const [method, { tags, security }] of Object.entries(methods)) {
          if (security.length === 0) continue;
          calls += 1;
          const needed = scopesOf({ tag: tags[0] ?? "", method, path });
          const url = path
            .replace("/keys/{id}", "/keys/0123456789abcdef")
            .replace("{wallet}", `0x${"01".repeat(20)}`)
            .replaceAll(/\{\w+\}/g, "404");
          const answer = await client.raw(url, {
            method: method.toUpperCase(),
            headers: { "content-type": "application/json" },
            ...(method === "post" ? { body: "[]" } : {}),
          });
          const isAllowed = needed.some((scope) => roleScopes[role].includes(scope));
          expect(answer.status !== 403, `${method} ${path} as ${role}`).to.equal(isAllowed);
          if (!isAllowed)
            expect(codeOf({ status: 403, body: await answer.json() })[1]).to.equal("role_insufficient");
        }
      }
    }
    expect(calls).to.be.greaterThan(200);
  });

  it("make a member once of an invitation, which another wallet, a second one and a revoked one are refused", async () => {
    const api = market();
    const { wallet, owner, signInTo, invite, add } = await team(api);
    const [named, other] = [newWallet(), newWallet()];
    const invited = await invite("developer", { name: "Ada", wallet: named.address });
    expect(invited.status).to.equal(201);
    expect(invited.body.invitation).to.match(/^ngpui_[0-9a-f]{16}_[0-9a-f]{64}$/);
    const accept = async (account: PrivateKeyAccount, text = invited.body.invitation) =>
      signInTo(account, { invitation: text });
    const refused = [403, "invitation_invalid"];
    expect(codeOf(await accept(other))).to.deep.equal(refused);
    expect(codeOf(await accept(named, invited.body.invitation.replace(/.$/, "x")))).to.deep.equal(refused);
    const opened = await accept(named);
    expect(opened.body).to.include({ wallet, member: addressOf(named), role: "developer" });
    expect(codeOf(await accept(named))).to.deep.equal(refused);
    const revoked = (await invite("viewer")).body;
    expect((await owner.delete(`/v1/members/invitations/${revoked.id}`)).status).to.equal(200);
    expect(codeOf(await accept(other, revoked.invitation))).to.deep.equal(refused);
    expect(codeOf(await signInTo(other, { account: wallet }))).to.deep.equal([403, "membership_missing"]);
    const again = await signInTo(named, { account: wallet });
    expect(again.body).to.include({ wallet, role: "developer" });
    await add("viewer");
    const { body } = await owner.get<{ members: { wallet: string; role: string; name: string | null }[] }>(
      "/v1/members",
    );
    expect(body.members.map(({ role, name }) => [role, name])).to.deep.equal([
      ["owner", null],
      ["developer", "Ada"],
      ["viewer", null],
    ]);
  });

  it("hold a member's role for all its keys at once, and revoke them when it is removed", async () => {
    const { wallet, owner, signInTo, add } = await team(market());
    const { account, client } = await add("developer");
    const path = `/v1/members/${account.address}`;
    const second = await client.post<{ id: string; apiKey: string }>("/v1/keys", { name: "ci" });
    expect(second.status).to.equal(201);
    const ci = market().client.withKey(second.body.apiKey);
    const { keys } = (await owner.get<{ keys: { id: string; member: string }[] }>("/v1/keys")).body;
    expect(keys.find(({ id }) => id === second.body.id)?.member).to.equal(addressOf(account));
    expect((await client.get<{ keys: unknown[] }>("/v1/keys")).body.keys).to.have.length(2);
    expect((await ci.get("/v1/secrets")).status).to.equal(200);
    expect((await owner.post(path, { role: "billing" })).status).to.equal(200);
    for (const one of [client, ci]) {
      await eventually("the role holds", async () => (await one.get("/v1/secrets")).status === 403);
      expect((await one.get("/v1/account")).body).to.include({ wallet, role: "billing" });
    }
    expect((await owner.delete(path)).status).to.equal(200);
    for (const one of [client, ci])
      await eventually("the key is refused", async () => (await one.get("/v1/account")).status === 401);
    expect(codeOf(await signInTo(account, { account: wallet }))).to.deep.equal([403, "membership_missing"]);
    expect(codeOf(await owner.delete(path))).to.deep.equal([404, "member_not_found"]);
    expect(codeOf(await owner.delete(`/v1/members/${wallet}`))).to.deep.equal([404, "member_not_found"]);
    expect(codeOf(await owner.post(`/v1/members/${wallet}`, { role: "viewer" }))).to.deep.equal([
      404,
      "member_not_found",
    ]);
  });

  it("give nobody more than the key has that invites, and no member the key of another", async () => {
    const api = market();
    const { owner, invite, add } = await team(api);
    const keyOf = async (body: Record<string, unknown>) => {
      const { apiKey } = (await owner.post<Opened>("/v1/keys", { name: "k", ...body })).body;
      return api.client.withKey(apiKey);
    };
    const narrow = await keyOf({ scopes: ["members", "read"] });
    expect((await invite("viewer", {}, narrow)).status).to.equal(201);
    expect(codeOf(await invite("owner", {}, narrow))).to.deep.equal([403, "scope_missing"]);
    const brief = await keyOf({ expiresAt: "2090-01-01T00:00:00Z" });
    expect(codeOf(await invite("viewer", {}, brief))).to.deep.equal([403, "key_limited"]);
    const { client } = await add("developer");
    const { body } = await owner.post<{ id: string }>("/v1/keys", { name: "own" });
    const unknown = [404, "api_key_not_found"];
    expect(codeOf(await client.post(`/v1/keys/${body.id}/rotate`, {}))).to.deep.equal(unknown);
    expect(codeOf(await client.delete(`/v1/keys/${body.id}`))).to.deep.equal(unknown);
    const wider = await client.post("/v1/keys", { name: "wider", scopes: ["payments"] });
    expect(codeOf(wider)).to.deep.equal([403, "scope_missing"]);
    const { client: second } = await add("owner");
    expect(codeOf(await second.post(`/v1/keys/${body.id}/rotate`, {}))).to.deep.equal(unknown);
    expect((await second.delete(`/v1/keys/${body.id}`)).status).to.equal(200);
  });

  it("are recorded with what they do and are refused, in a log that the API's role can only add to", async () => {
    const api = market();
    // Its ids get a digit more within the log: they are in the order of numbers.
    await api.db.query("alter table app.audit_entry alter column id restart with 9999999998");
    const { wallet, owner, add } = await team(api);
    const { account, client, body } = await add("viewer");
    await client.delete("/v1/workspaces/7");
    await owner.delete(`/v1/members/${account.address}`);
    const read = async (query = "") => (await owner.get<Entries>(`/v1/audit?limit=200${query}`)).body.entries;
    const log = await eventually("every end", async () => {
      const entries = await read();
      return entries.every(({ status }) => status !== null) && entries;
    });
    expect(log.map(({ action, subject, status }) => [action, subject, status])).to.deep.equal([
      ["DELETE /v1/members/{wallet}", account.address, 200],
      ["DELETE /v1/workspaces/{id}", "7", 403],
      ["POST /v1/accounts", null, 201],
      ["POST /v1/members/invitations", null, 201],
      ["POST /v1/accounts", null, 201],
    ]);
    expect(log[1]).to.include({ member: addressOf(account), keyId: body.keyId, address: "127.0.0.1" });
    expect(log[2]?.made).to.equal(body.keyId);
    expect(await read(`&member=${account.address}`)).to.deep.equal([log[1], log[2]]);
    expect(await read(`&keyId=${body.keyId}&since=2090-01-01T00:00:00Z`)).to.deep.equal([]);
    const pages: Entry[] = [];
    for (let after = ""; ; ) {
      const page = (await owner.get<Entries>(`/v1/audit?limit=2${after}`)).body;
      pages.push(...page.entries);
      if (page.next === null) break;
      after = `&after=${page.next}`;
    }
    expect(pages).to.deep.equal(log);
    const db = createPool({ url: api.market.urlAs("ngpu_api"), name: "test" });
    for (const change of [
      "update app.audit_entry set member = ''",
      "delete from app.audit_entry",
      "truncate app.audit_end",
    ]) {
      const refused = await db.query(change).then(
        () => undefined,
        (error: { code?: string }) => error.code,
      );
      expect(refused, change).to.equal("42501");
    }
    await db.end();
    expect(await read(`&member=${wallet}`)).to.have.length(3);
  });
}
