import { useState } from "react";
import { useRoute } from "../../api/queries.ts";
import { useSettings } from "../../app/settings.tsx";
import { tokens } from "../../format.ts";
import { Empty, Loaded } from "../../ui/notices.tsx";
import { Facts } from "../../ui/page.tsx";

/** What the node's account earned, and why it earned that much in the newest epoch. */
export function Earnings({ id, account }: { id: string; account: string }) {
  const { t } = useSettings();
  const reward = useRoute("GET /v1/rewards/{address}", { path: { address: account } }, { every: 15_000 });
  const newest = useRoute("GET /v1/epochs", { query: { limit: 1 } }, { every: 15_000 });
  const number = newest.data?.epochs[0]?.number;
  return (
    <Loaded query={reward}>
      {(data) => (
        <div className="stack">
          <Facts
            facts={[
              [t("reward.earned"), `${tokens(data.earned)} NGPU`],
              [t("reward.withheld"), `${tokens(data.withheld)} NGPU`],
              [t("reward.claimable"), `${tokens(data.claimable)} NGPU`],
              [t("reward.claimed"), `${tokens(data.claimed)} NGPU`],
            ]}
          />
          {number === undefined ? (
            <Empty>{t("market.epochs.none")}</Empty>
          ) : (
            <Explained id={id} number={number} />
          )}
        </div>
      )}
    </Loaded>
  );
}

function Explained({ id, number }: { id: string; number: string }) {
  const { t } = useSettings();
  const [isOpen, setIsOpen] = useState(false);
  const query = useRoute(
    "GET /v1/epochs/{number}/nodes/{nodeId}",
    { path: { number, nodeId: id } },
    { enabled: isOpen },
  );
  return (
    <details onToggle={({ currentTarget }) => setIsOpen(currentTarget.open)}>
      <summary>{t("reward.inEpoch", { number })}</summary>
      {query.data === undefined ? (
        <p className="muted">{t(query.isError ? "reward.unexplained" : "loading", { number })}</p>
      ) : (
        <>
          <strong>{tokens(query.data.earned)} NGPU</strong>
          {/* The sentences are the market's own. */}
          <ul className="stack" lang="en">
            {query.data.sentences.map((sentence) => (
              <li key={sentence} className="muted">
                {sentence}
              </li>
            ))}
          </ul>
        </>
      )}
    </details>
  );
}
