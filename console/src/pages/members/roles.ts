import type { InputOf } from "@ngpu/api-client/routes";

export type Role = InputOf<"POST /v1/members/{wallet}">["body"]["role"];

export const roles: readonly Role[] = ["owner", "developer", "viewer", "billing"];
export const isRole = (text: string): text is Role => (roles as readonly string[]).includes(text);
