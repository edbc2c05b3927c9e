import { Gauge, type Registry } from "prom-client";

/** The metrics of pomc. */
export function createPomcMetrics(registry: Registry) {
  return {
    posted: new Gauge({
      name: "ngpu_pomc_posted_epoch_number",
      help: "Number of the last epoch that this instance posted",
      registers: [registry],
    }),
    owed: new Gauge({
      name: "ngpu_pomc_owed_by_previous_token_units",
      help: "Grants of previous Pomc contracts that none of their roots pays, token units (1e-18 NGPU)",
      registers: [registry],
    }),
    leading: new Gauge({
      name: "ngpu_pomc_leading",
      help: "1 while this instance closes epochs",
      registers: [registry],
    }),
  };
}
