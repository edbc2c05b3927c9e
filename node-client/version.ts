export { version } from "@ngpu/runtime/version";
