/** What the background tasks of one wallet take of a process at the same time. Further ones are queued. */
const atOnce = { tasks: 32, bytes: 64 << 20 };
/** Tasks of a wallet on one workspace that have begun, those included that wait for a replica. */
const ofWorkspace = 32;

type Waiting = { bytes: number; begin: () => void };
type Share = {
  tasks: number;
  bytes: number;
  /** By workspace: tasks that have begun. */
  begun: Map<string, number>;
  /** By workspace, in order; the workspace whose turn it is comes first. */
  waiting: Map<string, Waiting[]>;
};

/** A task of a wallet on a workspace, and the bytes that it holds in memory. */
export type BackgroundTask = { wallet: string; workspaceId: string; bytes: number };

/**
 * The background tasks that run in this process. A wallet's tasks wait for its own alone, and those of one workspace do not keep
 * back those of another: a task that waits for a replica leaves its place among the wallet's, and keeps the one among its workspace's.
 */
export function createBackgroundTasks() {
  const shares = new Map<string, Share>();
  const shareOf = (wallet: string): Share => {
    const share = shares.get(wallet) ?? { tasks: 0, bytes: 0, begun: new Map(), waiting: new Map() };
    shares.set(wallet, share);
    return share;
  };
  return {
    /** Does a task's work when it is its turn. The work calls `leave` when it begins to wait for a replica. */
    during: async (task: BackgroundTask, work: (leave: () => void) => Promise<void>): Promise<void> => {
      const { wallet, workspaceId, bytes } = task;
      const share = shareOf(wallet);
      // Who comes later does not overtake, unless its workspace has a place and those before it wait for theirs.
      const isFirst = !share.waiting.has(workspaceId) && nextOf(share) === undefined;
      if (isFirst && fits(share, task)) take(share, task);
      else await new Promise<void>((begin) => enqueue(share, workspaceId, { bytes, begin }));
      let hasLeft = false;
      const leave = () => {
        if (hasLeft) return;
        hasLeft = true;
        share.tasks -= 1;
        share.bytes -= bytes;
        beginNext(share);
      };
      try {
        await work(leave);
      } finally {
        count(share.begun, workspaceId, -1);
        leave();
        beginNext(share);
        if (share.begun.size === 0 && share.waiting.size === 0) shares.delete(wallet);
      }
    },
  };
}

export type BackgroundTasks = ReturnType<typeof createBackgroundTasks>;

const hasPlace = ({ begun }: Share, workspaceId: string) => (begun.get(workspaceId) ?? 0) < ofWorkspace;

function fits(share: Share, { workspaceId, bytes }: { workspaceId: string; bytes: number }): boolean {
  if (!hasPlace(share, workspaceId)) return false;
  return share.tasks === 0 || (share.tasks < atOnce.tasks && share.bytes + bytes <= atOnce.bytes);
}

function take(share: Share, { workspaceId, bytes }: { workspaceId: string; bytes: number }): void {
  share.tasks += 1;
  share.bytes += bytes;
  count(share.begun, workspaceId, 1);
}

function count(counts: Map<string, number>, name: string, more: number): void {
  const next = (counts.get(name) ?? 0) + more;
  if (next === 0) counts.delete(name);
  else counts.set(name, next);
}

function enqueue({ waiting }: Share, workspaceId: string, one: Waiting): void {
  const line = waiting.get(workspaceId);
  if (line === undefined) waiting.set(workspaceId, [one]);
  else line.push(one);
}

/** The first workspace with a task that waits and a place for it. */
function nextOf(share: Share): { workspaceId: string; line: Waiting[]; first: Waiting } | undefined {
  for (const [workspaceId, line] of share.waiting) {
    const [first] = line;
    if (first !== undefined && hasPlace(share, workspaceId)) return { workspaceId, line, first };
  }
  return undefined;
}

/** Begins as many tasks as there is room for, of each workspace in turn. */
function beginNext(share: Share): void {
  for (;;) {
    const next = nextOf(share);
    if (next === undefined) return;
    const { workspaceId, line, first } = next;
    if (!fits(share, { workspaceId, bytes: first.bytes })) return;
    line.shift();
    share.waiting.delete(workspaceId);
    if (line.length > 0) share.waiting.set(workspaceId, line);
    take(share, { workspaceId, bytes: first.bytes });
    first.begin();
  }
}
