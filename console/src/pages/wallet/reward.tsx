import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { Hex } from "viem";
import { useRoute } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { tokens } from "../../format.ts";
import { Button } from "../../ui/form.tsx";
import { NodeLink } from "../../ui/nodeLink.tsx";
import { Empty, ErrorNotice, Loaded, Notice } from "../../ui/notices.tsx";
import { Panel, Stats } from "../../ui/page.tsx";
import { Table } from "../../ui/table.tsx";
import type { Wallet } from "../../wallet/providers.ts";
import { Statement } from "./statement.tsx";
import type { RewardState } from "./types.ts";
import { Verify } from "./verify.tsx";
import { Why } from "./why.tsx";

type Given = { account: string; wallets: Wallet[] };

export function Reward({ account, wallets }: Given) {
  const { t } = useSettings();
  const query = useRoute("GET /v1/rewards/{address}", { path: { address: account } }, { every: 8_000 });
  return (
    <Loaded query={query}>
      {(reward) => (
        <>
          <Totals reward={reward} />
          <Claim reward={reward} wallets={wallets} />
          <Panel title={t("why.title")} note={t("why.note")}>
            <Why reward={reward} />
          </Panel>
          {reward.epoch === null ? null : (
            <Panel title={t("verify.title")} note={t("verify.note")}>
              <Verify reward={reward} />
            </Panel>
          )}
          <Panel title={t("wallet.bonds")} note={t("wallet.bonds.note")} flush>
            <Bonds bonds={reward.bonds} />
          </Panel>
          <Panel title={t("statement.title")} note={t("statement.note")} flush>
            <Statement account={account} />
          </Panel>
        </>
      )}
    </Loaded>
  );
}

function Totals({ reward }: { reward: RewardState }) {
  const { t } = useSettings();
  const figure = (name: Parameters<typeof t>[0], value: string) => ({
    name: t(name),
    value: tokens(value),
    of: "NGPU",
  });
  return (
    <Stats
      figures={[
        figure("reward.claimable", reward.claimable),
        figure("reward.pending", reward.pending),
        figure("reward.withheld", reward.withheld),
        figure("reward.claimed", reward.claimed),
        figure("reward.earned", reward.earned),
      ]}
    />
  );
}

/** Claims in one transaction of the wallet, and shows it arrive: the figures are read again until it has. */
function Claim({ reward, wallets }: { reward: RewardState; wallets: Wallet[] }) {
  const { t, format } = useSettings();
  const queries = useQueryClient();
  const network = useRoute("GET /v1/network", {});
  const claim = useMutation({
    mutationFn: async (wallet: Wallet) => {
      const { sendClaim } = await import("../../wallet/pomc.ts");
      return sendClaim(wallet, network.data?.chainId ?? 0, {
        pomc: reward.pomc as Hex,
        account: reward.account as Hex,
        epoch: BigInt(reward.epoch ?? 0),
        cumulative: BigInt(reward.cumulative),
        proof: reward.proof as Hex,
      });
    },
    onSuccess: () => queries.invalidateQueries(),
  });
  const text =
    BigInt(reward.claimable) > 0n
      ? t("claim.some", { amount: tokens(reward.claimable) })
      : reward.activatesAt !== null && !reward.active
        ? t("claim.later", { when: format.time(reward.activatesAt) })
        : t("claim.none");
  return (
    <Panel title={t("claim.title")} note={t("claim.note")}>
      <div className="stack">
        <p>{text}</p>
        <div className="row">
          {wallets.map((wallet) => (
            <Button
              key={wallet.info.uuid}
              kind="primary"
              disabled={reward.claimable === "0" || claim.isPending || network.data === undefined}
              onClick={() => claim.mutate(wallet)}
            >
              {t("claim.action", { name: wallet.info.name })}
            </Button>
          ))}
          {wallets.length === 0 ? <span className="muted">{t("claim.noWallet")}</span> : null}
        </div>
        <ErrorNotice error={claim.error} />
        {claim.data === undefined ? null : (
          <Notice tone="good" title={t("claim.sent")}>
            <code>{claim.data}</code>
          </Notice>
        )}
      </div>
    </Panel>
  );
}

/** What is withheld from each node's first rewards, and when it returns. */
function Bonds({ bonds }: { bonds: RewardState["bonds"] }) {
  const { t, format } = useSettings();
  if (bonds.length === 0) return <Empty>{t("wallet.bonds.none")}</Empty>;
  return (
    <Table
      columns={[
        { text: t("node.id") },
        { text: t("reward.withheld"), number: true },
        { text: t("wallet.bonds.days"), number: true },
        { text: t("wallet.bonds.returns") },
      ]}
    >
      {bonds.map((bond) => (
        <tr key={bond.nodeId}>
          <td>
            <NodeLink id={bond.nodeId} />
          </td>
          <td className="number">{tokens(bond.withheld)}</td>
          <td className="number">
            {format.count(bond.days)}
            <span className="unit"> / {format.count(bond.daysNeeded)}</span>
          </td>
          <td>{format.time(bond.returnsAt)}</td>
        </tr>
      ))}
    </Table>
  );
}
