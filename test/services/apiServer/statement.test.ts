import { escrowAbi, pomcAbi, tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import fc from "fast-check";
import { dollarsOf } from "../../../services/apiServer/dollars.ts";
import { runs } from "../../support/runs.ts";
import { accounts } from "../workspace/chain.ts";
import { type Act, anyLife, kinds } from "./anyLife.ts";
import { signIn } from "./client.ts";
import { createLife, wallet } from "./lives.ts";
import { type ApiMarket, setup } from "./setup.ts";

type Invoice = {
  month: string;
  total: string;
  final: boolean;
  dollars: { perToken: string; total: string } | null;
  lines: { workspaceId: string; total: string }[];
};
type Entry = {
  workspaceId: string | null;
  id: string;
  book: string;
  kind: string;
  amount: string;
  at: string;
  txHash: string | null;
};
type Statement = { wallet: string; balances: Record<string, string>; entries: Entry[]; next: string | null };

const path = `/v1/accounts/${accounts.owner.address}/statement`;
const books = ["wallet", "deposit", "lock", "rewards", "bond", "tasks"];

type Life = Awaited<ReturnType<typeof createLife>>;

describe("apiServer: statements", function () {
  this.timeout(900_000);
  let api: ApiMarket;
  let life: Life;
  before(async () => {
    api = await setup({ limits: { perAddress: 100_000 } });
    life = await createLife(api);
  });
  after(() => api.stop());

  /** Every entry, page by page, newest first. */
  async function entriesOf(limit: number): Promise<{ balances: Record<string, string>; entries: Entry[] }> {
    const entries: Entry[] = [];
    let after = "";
    for (;;) {
      const { body } = await api.client.get<Statement>(`${path}?limit=${limit}${after}`);
      entries.push(...body.entries);
      if (body.next === null) return { balances: body.balances, entries };
      after = `&after=${body.next}`;
    }
  }

  /** What the contracts say that the wallet has. */
  async function onChain() {
    const { client, deployment } = api.chain;
    const { Token, Escrow, Pomc } = deployment.contracts;
    const args = [wallet] as const;
    const escrow = { address: Escrow, abi: escrowAbi, args } as const;
    const lock = await client.readContract({ ...escrow, functionName: "lockedOf" });
    return {
      wallet: await client.readContract({ address: Token, abi: tokenAbi, functionName: "balanceOf", args }),
      deposit: (await client.readContract({ ...escrow, functionName: "balanceOf" })) - lock,
      lock,
      claimed: await client.readContract({ address: Pomc, abi: pomcAbi, functionName: "claimedOf", args }),
      tasks: await client.readContract({
        address: Pomc,
        abi: pomcAbi,
        functionName: "receiptsOfPayer",
        args,
      }),
    };
  }

  /** Compares the statement, read in pages of `limit` entries, with the contracts, and returns its entries. */
  async function compared(life: Life, limit: number): Promise<Entry[]> {
    await api.market.exported();
    const { balances, entries } = await entriesOf(limit);
    const sumOf = (book: string) =>
      entries.reduce((sum, entry) => (entry.book === book ? sum + BigInt(entry.amount) : sum), 0n);
    const sums = Object.fromEntries(books.map((book) => [book, String(sumOf(book))]));
    const { claimed, ...held } = await onChain();
    const { cumulative, withheld } = life.granted;
    const expected = { ...held, rewards: cumulative - claimed, bond: withheld };
    const text = Object.fromEntries(Object.entries(expected).map(([book, sum]) => [book, String(sum)]));
    expect(sums).to.deep.equal(text);
    expect(balances).to.include({ ...text, total: String(held.wallet + held.deposit + held.lock) });
    const ids = entries.map(({ id }) => BigInt(id));
    expect(ids).to.deep.equal([...new Set(ids)].sort((a, b) => (a < b ? 1 : -1)));
    return entries;
  }

  it("add up to what the contracts hold for a wallet after every kind of act, and name each", async () => {
    const size = (type: string, amount: number) => ({ type, size: amount, choice: 0 }) as Act;
    const every = [...kinds.map((type) => size(type, 300)), size("reward", 100), size("reward", 300)];
    for (const step of every) await life.play(step);
    // A contract may refuse an act at the time of its block.
    for (const type of kinds) if (!life.done.has(type)) await life.play(size(type, 300));
    expect([...life.done.keys()], "acts that a contract accepted").to.have.members([...kinds]);
    const entries = await compared(life, 50);
    // A wait costs something only where a second of it passed.
    const said = new Set(entries.map(({ kind }) => kind).filter((kind) => kind !== "lease_wait"));
    expect([...said].sort()).to.deep.equal([
      "bond_returned",
      "bond_withheld",
      "burn",
      "claim",
      "deposit",
      "fee_burn",
      "lease_payment",
      "lock",
      "payout",
      "refund",
      "reward",
      "task",
      "transfer",
      "unlock",
      "withdrawal",
    ]);
  });

  it("agree with the invoices of the wallet's months, by workspace, as JSON and CSV", async () => {
    const partner = await signIn(api.client, accounts.owner);
    const { entries } = await entriesOf(200);
    const sumOf = (kind: string, of: (entry: Entry) => boolean) =>
      entries.reduce(
        (sum, entry) => sum + (entry.kind === kind && of(entry) ? BigInt(entry.amount) : 0n),
        0n,
      );
    const sums = (of: (entry: Entry) => boolean) => {
      const paid = -sumOf("lease_payment", of) - sumOf("lease_wait", of);
      const refunded = sumOf("refund", of);
      return { paid: String(paid), refunded: String(refunded), total: String(paid - refunded) };
    };
    const { invoices } = (await partner.get<{ invoices: Invoice[] }>("/v1/invoices")).body;
    expect(invoices.length).to.be.at.least(1);
    const total = invoices.reduce((sum, one) => sum + BigInt(one.total), 0n);
    expect(String(total)).to.equal(sums(() => true).total);
    for (const { month } of invoices) {
      const { body } = await partner.get<Invoice>(`/v1/invoices/${month}`);
      const isIn = ({ at }: Entry) => at.startsWith(month);
      expect(body).to.deep.include({ month, wallet, ...sums(isIn) });
      for (const line of body.lines) {
        const ofLine = (entry: Entry) => isIn(entry) && entry.workspaceId === line.workspaceId;
        expect(line).to.deep.include(sums(ofLine));
      }
      const csv = await (await partner.raw(`/v1/invoices/${month}?format=csv`)).text();
      expect(csv.split("\r\n")).to.have.length(body.lines.length + 2);
      expect(csv.split("\r\n")[1]?.split(",").at(-1)).to.equal(body.lines[0]?.total);
    }
    const [{ month } = { month: "" }] = invoices;
    const stated = await partner.get<Invoice>(`/v1/invoices/${month}?dollarsPerToken=0.25`);
    expect(stated.body.dollars).to.deep.equal({
      perToken: "0.25",
      total: dollarsOf(BigInt(stated.body.total), "0.25"),
    });
    const pdf = await partner.raw(`/v1/invoices/${month}?dollarsPerToken=0.25`, {
      headers: { accept: "application/pdf" },
    });
    expect([pdf.status, pdf.headers.get("content-type")]).to.deep.equal([200, "application/pdf"]);
    expect(Buffer.from(await pdf.arrayBuffer()).toString("latin1")).to.match(/^%PDF-1\.[\s\S]*%%EOF\s*$/);
    expect((await partner.get(`/v1/invoices/${month}?dollarsPerToken=-1`)).status).to.equal(400);
    const none = await partner.get<Invoice>("/v1/invoices/2020-01");
    expect(none.body).to.deep.include({ lines: [], total: "0", final: true });
    expect((await partner.get("/v1/invoices/2020-13")).status).to.equal(400);
    expect((await api.client.get("/v1/invoices")).status).to.equal(401);
  });

  const histories = runs(2, 12);

  it(`add up to what the contracts hold for a wallet, to the unit, whatever it did, ${histories} lives`, async () => {
    await fc.assert(
      fc.asyncProperty(anyLife, fc.integer({ min: 20, max: 200 }), async (acts, limit) => {
        for (const step of acts) await life.play(step);
        await compared(life, limit);
      }),
      { numRuns: histories, endOnFailure: true },
    );
  });

  it("are CSV for a client that asks for it by format or accept, with the next page in the header link", async () => {
    const { body } = await api.client.get<Statement>(`${path}?limit=3`);
    for (const [query, headers] of [
      ["&format=csv", {}],
      ["", { accept: "text/csv" }],
    ] as const) {
      const response = await api.client.raw(`${path}?limit=3${query}`, { headers });
      expect(response.headers.get("content-type")).to.equal("text/csv; charset=utf-8");
      expect(response.headers.get("link")).to.equal(`<?format=csv&limit=3&after=${body.next}>; rel="next"`);
      const [head = "", ...lines] = (await response.text()).split("\r\n");
      const columns = head.split(",");
      expect(lines.pop()).to.equal("");
      expect(lines.map((line) => line.split(",")[columns.indexOf("id")])).to.deep.equal(
        body.entries.map(({ id }) => id),
      );
      expect(lines.map((line) => line.split(",")[columns.indexOf("amount")])).to.deep.equal(
        body.entries.map(({ amount }) => amount),
      );
    }
  });

  it("are empty for a wallet that the market does not know, and refuse what is no address, format or place", async () => {
    const empty = await api.client.get<Statement>(`/v1/accounts/0x${"12".repeat(20)}/statement`);
    expect(empty.body.entries).to.deep.equal([]);
    expect(empty.body.balances).to.include({
      wallet: "0",
      deposit: "0",
      lock: "0",
      total: "0",
      rewards: "0",
    });
    for (const wrong of ["/v1/accounts/0x12/statement", `${path}?format=pdf`, `${path}?after=x`]) {
      const { status, body } = await api.client.get(wrong);
      expect([status, body.code], wrong).to.deep.equal([400, "request_invalid"]);
    }
  });
});
