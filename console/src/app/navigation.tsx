import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useSession } from "../api/session.tsx";
import type { MessageKey } from "../i18n/types.ts";
import { Icon, type IconName } from "../ui/icons.tsx";
import { useText } from "./settings.tsx";

type Target =
  | (
      | "/"
      | "/nodes"
      | "/placements"
      | "/workspaces"
      | "/deploy"
      | "/tasks"
      | "/account"
      | "/usage"
      | "/keys"
      | "/members"
      | "/secrets"
      | "/webhooks"
    )
  | ("/wallet" | "/operator");
type Entry = { to: Target; text: MessageKey; icon: IconName };

const groups: { title: MessageKey; entries: Entry[] }[] = [
  {
    title: "nav.market",
    entries: [
      { to: "/", text: "nav.overview", icon: "market" },
      { to: "/nodes", text: "nav.nodes", icon: "nodes" },
      { to: "/placements", text: "nav.placements", icon: "placements" },
    ],
  },
  {
    title: "nav.partner",
    entries: [
      { to: "/workspaces", text: "nav.workspaces", icon: "workspaces" },
      { to: "/deploy", text: "nav.deploy", icon: "deploy" },
      { to: "/tasks", text: "tasks.title", icon: "tasks" },
      { to: "/account", text: "nav.account", icon: "account" },
      { to: "/usage", text: "usage.title", icon: "usage" },
      { to: "/keys", text: "keys.title", icon: "keys" },
      { to: "/members", text: "members.title", icon: "members" },
      { to: "/secrets", text: "secrets.title", icon: "secrets" },
      { to: "/webhooks", text: "webhooks.title", icon: "webhooks" },
    ],
  },
  {
    title: "nav.operator",
    entries: [
      { to: "/operator", text: "operator.nav", icon: "nodes" },
      { to: "/wallet", text: "nav.wallet", icon: "wallet" },
    ],
  },
];

export function Navigation() {
  const t = useText();
  const { apiKey, signOut } = useSession();
  const queries = useQueryClient();
  const leave = () => {
    signOut();
    queries.clear();
  };
  return (
    <nav className="nav" aria-label={t("nav.label")}>
      {groups.map(({ title, entries }) => (
        <div key={title}>
          <p className="nav-title">{t(title)}</p>
          <ul>
            {entries.map(({ to, text, icon }) => (
              <li key={to}>
                <Link to={to} activeOptions={{ exact: to === "/" }}>
                  <Icon name={icon} />
                  {t(text)}
                </Link>
              </li>
            ))}
          </ul>
        </div>
      ))}
      <ul>
        <li>
          <Link to="/manual">
            <Icon name="manual" />
            {t("manual.title")}
          </Link>
        </li>
        <li>
          <a href="/docs">
            <Icon name="docs" />
            {t("nav.docs")}
          </a>
        </li>
        {apiKey === undefined ? null : (
          <li>
            <button type="button" className="nav-button" onClick={leave}>
              <Icon name="leave" />
              {t("nav.signOut")}
            </button>
          </li>
        )}
      </ul>
    </nav>
  );
}
