import { queueUses } from "../code/queues.ts";
import { code, codes, item, pageHead } from "../markdown.ts";
import type { PageOf } from "./page.ts";

const HEAD = `Queues in Redis, through BullMQ. A job carries ids only and is safe to run twice. A second job for the
same ids is dropped while the first one waits.`;

export const queuesPage: PageOf = ({ project }) => {
  const { queues, problems } = queueUses(project);
  const lines = queues.map(({ name, says, openedBy, servedBy }) =>
    [
      item(`${code(name)}: ${says}`),
      item(`Jobs are added by ${codes(openedBy)}.`, 1),
      item(`Jobs are processed by ${codes(servedBy)}.`, 1),
    ].join("\n"),
  );
  return { text: `${pageHead("Queues", HEAD)}\n${lines.join("\n")}\n`, problems };
};
