import { tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { encodeFunctionData, parseEther } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { createFaucet } from "../../../services/apiServer/faucet.ts";
import { accounts, privateKeyOf } from "../workspace/chain.ts";
import { type ApiMarket, setup } from "./setup.ts";

const freshWallet = () => privateKeyToAccount(generatePrivateKey()).address;
const refusedAs = (answer: { body: unknown }) => (answer.body as { code: string }).code;

describe("apiServer: the faucet of a market with test tokens", function () {
  this.timeout(60_000);
  let api: ApiMarket;
  const giveFaucet = async (tokens: string) => {
    const args = [accounts.relayer.address, parseEther(tokens)] as const;
    const data = encodeFunctionData({ abi: tokenAbi, functionName: "transfer", args });
    await api.chain.call("treasury", "Token", data);
  };
  const tokensOf = (wallet: `0x${string}`) => {
    const token = { address: api.chain.deployment.contracts.Token, abi: tokenAbi } as const;
    return api.chain.client.readContract({ ...token, functionName: "balanceOf", args: [wallet] });
  };
  before(async () => {
    api = await setup({ faucetKey: privateKeyOf("relayer"), limits: { signIn: 1_000 } });
    await giveFaucet("350");
  });
  after(() => api?.stop());

  it("sends tokens and ETH to a new wallet", async () => {
    const wallet = freshWallet();
    const answer = await api.client.post("/v1/faucet", { wallet });
    expect(answer.status).to.equal(201);
    expect(answer.body).to.deep.include({
      wallet: wallet.toLowerCase(),
      tokens: String(parseEther("100")),
      ether: String(parseEther("0.1")),
    });
    expect(await tokensOf(wallet)).to.equal(parseEther("100"));
    expect(await api.chain.client.getBalance({ address: wallet })).to.equal(parseEther("0.1"));
  });

  it("serves a wallet once, for concurrent and later requests", async () => {
    const wallet = freshWallet();
    const answers = await Promise.all([1, 2].map(() => api.client.post("/v1/faucet", { wallet })));
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([201, 409]);
    const again = await api.client.post("/v1/faucet", { wallet });
    expect(again.status).to.equal(409);
    expect(refusedAs(again)).to.equal("wallet_already_funded");
    expect(await tokensOf(wallet)).to.equal(parseEther("100"));
  });

  it("rejects an invalid address", async () => {
    const answer = await api.client.post("/v1/faucet", { wallet: "0x12" });
    expect(answer.status).to.equal(400);
    expect(refusedAs(answer)).to.equal("request_invalid");
  });

  it("refuses when its account is empty", async () => {
    expect((await api.client.post("/v1/faucet", { wallet: freshWallet() })).status).to.equal(201);
    const answer = await api.client.post("/v1/faucet", { wallet: freshWallet() });
    expect(answer.status).to.equal(409);
    expect(refusedAs(answer)).to.equal("faucet_empty");
  });

  it("serves at most sixty requests per hour of all wallets together", async () => {
    await giveFaucet("10000");
    let now = 0;
    const { client, deployment, url } = api.chain;
    const given = { key: privateKeyOf("relayer"), client, rpcUrls: [url], deployment };
    const faucet = createFaucet({ ...given, now: () => now });
    for (let gift = 0; gift < 60; gift++) await faucet.give(freshWallet());
    const error = await faucet.give(freshWallet()).catch((thrown: { code: string }) => thrown);
    expect(error).to.include({ code: "rate_limited", status: 429 });
    now = 3_600_000;
    expect((await faucet.give(freshWallet())).tokens).to.equal(parseEther("100"));
  });
});
