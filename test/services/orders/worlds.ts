import { isDeepStrictEqual } from "node:util";
import { isRevoked, type Model, type Order, ordered, refusalOf } from "./model.ts";
import type { Answer } from "./owner.ts";

type Answered = { order: Order; answer: Answer };

/** The states that a workspace can be in after an order with this answer. */
export function after(worlds: Model[], { order, answer }: Answered): Model[] {
  return worlds.flatMap((model) => {
    if (!answer.accepted) return refusalOf(model) === answer.code ? [model] : [];
    return mayAccept(model, order) ? [ordered(model, order)] : [];
  });
}

/** The states after two orders that were sent at once: either may be the later one. */
export function afterBoth(worlds: Model[], [first, second]: readonly [Answered, Answered]): Model[] {
  return [...after(after(worlds, first), second), ...after(after(worlds, second), first)];
}

/** A closed workspace can still be deleted, and what is already so needs no authorization. */
function mayAccept(model: Model, order: Order): boolean {
  if (model.state === "closed") return order.type === "delete";
  if (!isRevoked(model)) return true;
  const asPaid: Model = { ...model, funds: "paid" };
  return isDeepStrictEqual(ordered(asPaid, order), asPaid);
}
