// A file of its own is compiled when a call needs it.
export { patientFetch } from "@ngpu/api-client/patientFetch";
