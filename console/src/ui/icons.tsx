import type { ReactNode } from "react";

/** Line icons of 16 units, drawn for this console. They are decoration: the text beside them says the same. */
const paths = {
  market: "M2 13h12M4 13V8M8 13V4M12 13V6",
  nodes: "M3 3h10v4H3zM3 9h10v4H3zM5.5 5h.01M5.5 11h.01",
  placements: "M3 4h3v3H3zM10 9h3v3h-3zM6 5.5h3a2 2 0 0 1 2 2V9",
  rewards: "M8 2.5 13 5.5v5L8 13.5 3 10.5v-5zM8 8l5-2.5M8 8v5.5M8 8 3 5.5",
  verify: "M3.5 8.5 6.5 11.5 12.5 4.5",
  workspaces: "M2.5 4.5h11v8h-11zM2.5 7h11",
  deploy: "M8 12V3.5M4.5 7 8 3.5 11.5 7M3 13.5h10",
  account: "M8 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5M3.5 13.5a4.5 4.5 0 0 1 9 0",
  leave: "M6.5 2.5h-3v11h3M6.5 8h7M10.5 5l3 3-3 3",
  wallet: "M2.5 5h11v8h-11zM2.5 5l8-2v2M10.5 9h.01",
  tasks: "M3 4.5h1.5M3 8h1.5M3 11.5h1.5M7 4.5h6M7 8h6M7 11.5h6",
  keys: "M6 10a2.5 2.5 0 1 1 0-5 2.5 2.5 0 0 1 0 5M8.3 8.2h5.2v2.3M11.5 8.2v1.8",
  usage: "M2.5 13.5v-4h2.5v4zM6.8 13.5v-7h2.5v7zM11 13.5v-11h2.5v11z",
  members:
    "M6 7.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4M2.5 13a3.5 3.5 0 0 1 7 0M11 8a1.8 1.8 0 1 0-.6-3.5M10.8 9.6A3.2 3.2 0 0 1 13.6 13",
  secrets: "M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5M8 10v1.5",
  webhooks: "M5 11.5a2.5 2.5 0 1 1 1-4.8M11 11.5a2.5 2.5 0 1 0-1-4.8M8 4v3M8 7l3 4.5H5z",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  manual: "M2.5 3.5h4.2L8 5l1.3-1.5h4.2v9H9.3L8 13.8l-1.3-1.3H2.5zM8 5v8.5",
  docs: "M4 2.5h6l2.5 2.5v8.5H4zM9.5 2.5V5.5h3",
  good: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13M5 8.2l2.2 2.2L11 6.2",
  bad: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13M5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4",
  wait: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13M8 4.5V8l2.2 1.6",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, className }: { name: IconName; className?: string }): ReactNode {
  return (
    <svg className={className} viewBox="0 0 16 16" fill="none" stroke="currentColor" aria-hidden="true">
      <path d={paths[name]} strokeWidth="1.4" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}

export function Mark(): ReactNode {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#0b6b55" />
      <path
        d="M9 23V9l14 14V9"
        fill="none"
        stroke="#fff"
        strokeWidth="3.2"
        strokeLinejoin="round"
        strokeLinecap="round"
      />
    </svg>
  );
}
