var e={title:`Market owners: deploy, watch, update`,sections:[{id:``,title:``,parts:[{kind:`text`,html:`<p>An owner deploys the contracts and runs the services. No owner can take a deposit or change a posted epoch:
roles (<code>docs/contracts/roles.md</code>) says who may do what, and what the thief of each key could take.</p>
`}]},{id:`try-a-market-on-one-machine`,title:`Try a market on one machine`,parts:[{kind:`commands`,text:`npm start -- --once --json`},{kind:`text`,html:`<p>Result: chain, Postgres, Redis, Docker and all services start, a node joins, a partner&#39;s task runs, and the operator
claims. The last line is one JSON object.</p>
`}]},{id:`deploy-the-contracts`,title:`Deploy the contracts`,parts:[{kind:`text`,html:`<p>Copy a file of <code>contracts/ignition/networks/</code> and edit it.</p>
`},{kind:`commands`,text:`export DEPLOYER_KEYSTORE=deployer.json DEPLOYER_PASSWORD_FILE=password
npm run deploy -- --network op-sepolia
npm run deploy:check -- --network op-sepolia`},{kind:`text`,html:`<p>Result: addresses in <code>deployments/op-sepolia</code>; then code, wiring, roles and delays are compared with this checkout. An
interrupted deployment goes on where it stopped.</p>
`}]},{id:`prepare-the-database`,title:`Prepare the database`,parts:[{kind:`commands`,text:`export DATABASE_ADMIN_URL=postgres://admin:…@db.example/ngpu
npm run migrate`},{kind:`text`,html:`<p>Result: schemas and roles exist. Each service has a role that may do what it needs and nothing else. A later release
migrates in the same way; services of the version before go on meanwhile.</p>
`}]},{id:`run-the-services`,title:`Run the services`,parts:[{kind:`text`,html:`<p>Each service is one program with its own key. <code>.env.example</code> lists the variables of each, and
the architecture (<code>docs/architecture.md</code>) which may run in several instances.</p>
<p>Result: <code>/healthz</code> of each service answers 200, and <code>/metrics</code> has its figures.</p>
`}]},{id:`let-partners-push-images`,title:`Let partners push images`,parts:[{kind:`text`,html:`<p>Give the registry <code>PUSH_STORE</code>, a directory with room, and <code>DATABASE_URL</code> with the role <code>ngpu_registry</code>. A proxy that
ends TLS in front of it sets <code>Host</code> and <code>X-Forwarded-Proto</code> and limits no body; otherwise set <code>PUBLIC_URL</code>. The host must be
that of <code>PROBE_IMAGE</code>, by which partners find the registry.</p>
`},{kind:`commands`,text:`curl -sS -o /dev/null -w '%{http_code}\\n' https://registry.example/v2/`},{kind:`text`,html:`<p>Result: 401, and <code>docker login registry.example</code> with an API key as the password succeeds. <code>PUSH_QUOTA_GIB</code> bounds an
account, <code>PUSH_RESERVE_GIB</code> the disk. ADR 71 (<code>docs/adr/0071-pushed-images.md</code>) says what is kept, and for how long.</p>
`}]},{id:`watch-it`,title:`Watch it`,parts:[{kind:`text`,html:`<p>Metrics (<code>docs/reference/metrics.md</code>), log events (<code>docs/reference/log-events.md</code>) and
deadlines (<code>docs/reference/deadlines.md</code>) are listed in the reference. Values that are set
aside (<code>docs/set-aside.md</code>) has rules for Prometheus.</p>
`},{kind:`commands`,text:`npm run export:verify`},{kind:`text`,html:`<p>Result: the exported tables are compared with the chain, with the service&#39;s own variables.</p>
`}]},{id:`serve-and-update-the-node-client`,title:`Serve and update the node client`,parts:[{kind:`commands`,text:`npm run client:release -- --help
npm run updates -- --help`},{kind:`text`,html:`<p>Result: the options of the commands that build a release, sign it and roll it out. Updates (<code>docs/updates.md</code>) shows
them in order, with pausing and rolling back.</p>
`}]},{id:`replace-a-contract`,title:`Replace a contract`,parts:[{kind:`text`,html:`<p>A replaced contract ends with its leases, while new ones go to its successor.
Generations (<code>docs/adr/0016-generations-side-by-side.md</code>) explains the steps.</p>
`}]},{id:`stop-an-abuse`,title:`Stop an abuse`,parts:[{kind:`text`,html:`<p>The guardian pauses a function, or disables an epoch or an uptime root that is wrong, without delay. Whoever gave a
power ends it at once. Roles (<code>docs/contracts/roles.md</code>) lists both.</p>
`}]}]};export{e as default};