var e={title:`Partners: workspaces and tasks`,sections:[{id:``,title:``,parts:[{kind:`text`,html:`<p>A partner publishes workspaces, which are containers on the market&#39;s nodes, and sends them tasks. You need a wallet with
the market&#39;s token, NGPU, and no ETH. Each task below is shown for the console and for <code>ngpu</code>, the
command line (<code>docs/cli.md</code>). Programs use the partner API (<code>partner-docs/en.md</code>).</p>
<p>From a clone, this function is the command. A release installs it as one file.</p>
`},{kind:`commands`,text:`export NGPU_API=http://127.0.0.1:8080
ngpu() { npx node cli/index.ts "$@"; }
ngpu --version`},{kind:`output`,text:`0.1.0`}]},{id:`sign-in`,title:`Sign in`,parts:[{kind:`text`,html:`<p>In the console, choose <strong>Sign in</strong> and your wallet: one signature, no transaction. In a terminal, name the file with the
wallet&#39;s private key; the first line makes a new wallet.</p>
`},{kind:`commands`,text:`(umask 077; node -p '"0x" + crypto.randomBytes(32).toString("hex")' > wallet.key)
ngpu login --wallet wallet.key`},{kind:`output`,text:`Logged in to …`},{kind:`text`,html:`<p>The key that this stores may do everything. <a href="#give-a-program-a-key">Give a program a key of its own</a>.</p>
`}]},{id:`deposit-and-set-a-budget`,title:`Deposit and set a budget`,parts:[{kind:`text`,html:`<p>A market of <code>npm start</code> gives test tokens to a new wallet; elsewhere, send NGPU to it. Your deposit stays yours: what no
lease needs can be withdrawn at any time.</p>
`},{kind:`commands`,text:`ngpu faucet "$(ngpu balance --json | node -p 'JSON.parse(fs.readFileSync(0)).wallet')"
ngpu deposit 5 --authorize
ngpu balance`},{kind:`output`,text:`Sent 100 NGPU and 0.1 ETH to 0x….
Deposited 5 NGPU in 0x….
Authorization … is stored on the chain.
Wallet: 0x…
Withdrawable: 5 NGPU
…`},{kind:`text`,html:`<p>In the console: <strong>Account</strong>, then <strong>Deposit and budget</strong>. The authorization bounds what the market may spend for you:
a rate, a day, a total and an expiry.</p>
`}]},{id:`see-what-is-free`,title:`See what is free`,parts:[{kind:`commands`,text:`ngpu market gpus
ngpu market nodes`},{kind:`output`,text:`GPU MEM GiB NODES FREE TOTAL NGPU/H FROM TO REGIONS
…
NODE STATUS REGION GPU FREE CPU MEM GiB DISK GiB NGPU/H
…`},{kind:`text`,html:`<p>In the console, <strong>Overview</strong> shows models and prices, <strong>Nodes</strong> each node with what was measured.</p>
`}]},{id:`find-out-where-a-workspace-fits`,title:`Find out where a workspace fits`,parts:[{kind:`text`,html:`<p>Nothing is published. The answer counts the nodes that fit and names the nearest miss.</p>
`},{kind:`commands`,text:`IMAGE=$(cat .ngpu/chat-image)
ngpu deploy --dry-run --name chat --image "$IMAGE" --cpu 0.5 --memory-mib 512 --max-price 0.036/h --health /healthz`},{kind:`output`,text:`1 of 1 node fits: the first replica would go to node 1 for … NGPU an hour; 1 of 1 could be placed now.
It would cost at most 0.036 NGPU an hour. Nothing was published.`},{kind:`text`,html:`<p>In the console, <strong>Deploy</strong> answers while you type.</p>
`}]},{id:`deploy-a-workspace`,title:`Deploy a workspace`,parts:[{kind:`commands`,text:`ngpu deploy --name chat --image "$IMAGE" --cpu 0.5 --memory-mib 512 --max-price 0.036/h --health /healthz
ngpu ps`},{kind:`output`,text:`Workspace … runs: 1 of 1 replicas, on node 1.
Next: ngpu chat chat, ngpu run chat, ngpu rm chat
…
… chat running 1/1 …`},{kind:`text`,html:`<p>The command ends when every replica runs, or says why one does not. In the console: <strong>Deploy</strong>, then <strong>Publish</strong>.</p>
`}]},{id:`ask-it`,title:`Ask it`,parts:[{kind:`commands`,text:`ngpu chat chat "What is a lease?"
ngpu run chat '{"messages": [{"role": "user", "content": "What is a node?"}]}' --path /v1/chat/completions
ngpu tasks`},{kind:`output`,text:`…
"role": "assistant",
…
TASK WORKSPACE STATUS NODE MS CREATED ERROR
… succeeded 1 …`},{kind:`text`,html:`<p>In the console, a workspace has <strong>Chat</strong>, and <strong>Tasks</strong> lists every call with its receipt. An OpenAI client needs the
base URL <code>$NGPU_API/v1</code> and the model <code>chat</code>.</p>
`}]},{id:`read-its-logs`,title:`Read its logs`,parts:[{kind:`commands`,text:`ngpu logs chat`},{kind:`output`,text:`ready`},{kind:`text`,html:`<p><code>--follow</code> waits for further lines. In the console: <strong>Logs</strong>, which searches and downloads, and <strong>Terminal</strong>.</p>
`}]},{id:`find-out-why-it-does-not-run`,title:`Find out why it does not run`,parts:[{kind:`text`,html:`<p>Each workspace and replica has its reason, as a sentence with what to do, and its history.</p>
`},{kind:`commands`,text:`ngpu describe chat
ngpu events chat`},{kind:`output`,text:`Workspace … (chat): running, 1 of 1 replicas run.
Replica 0 on node 1: runs.
…
… workspace_published The workspace was published.
… replica_assigned replica 0, lease 1, node 1 The replica was given to a node.
… state_reported replica 0, lease 1, node 1 The node reported the replica's state.
…`},{kind:`text`,html:`<p>In the console: the notice on top of the workspace, and <strong>Events</strong>. All reasons (<code>docs/reference/reasons.md</code>).</p>
`}]},{id:`change-it`,title:`Change it`,parts:[{kind:`commands`,text:`ngpu update chat --max-price 0.072/h
ngpu scale chat 2`},{kind:`output`,text:`Updated in 0x….
…
Scaled in 0x….`},{kind:`text`,html:`<p>In the console, <strong>Configuration</strong> shows what was published and what runs, and the difference before you update.</p>
`}]},{id:`see-what-it-costs`,title:`See what it costs`,parts:[{kind:`commands`,text:`ngpu usage
ngpu statement`},{kind:`output`,text:`WORKSPACE PAYMENTS PAID REFUNDED COST
…
Total: … NGPU since 30d ago.
TIME BOOK KIND NGPU WORKSPACE NODE TRANSACTION
…
Sum of wallet: 95 NGPU.`},{kind:`text`,html:`<p>A node&#39;s downtime is refunded the next day. In the console: <strong>Cost</strong> of a workspace, and <strong>Account</strong>.</p>
`}]},{id:`give-a-program-a-key`,title:`Give a program a key`,parts:[{kind:`text`,html:`<p>The key may send tasks and nothing else, for thirty days, and spend one NGPU a day.</p>
`},{kind:`commands`,text:`ngpu keys create app --scope tasks --expires 30d --spend 1
ngpu keys`},{kind:`output`,text:`ngpu_…
KEY NAME SCOPES CREATED LAST USED EXPIRES
… ngpu all …
… app tasks … never …`},{kind:`text`,html:`<p>In the console: <strong>Keys</strong>. The key is shown once.</p>
`}]},{id:`stop-start-delete`,title:`Stop, start, delete`,parts:[{kind:`text`,html:`<p>A stopped replica keeps its node for a tenth of its price.</p>
`},{kind:`commands`,text:`ngpu stop chat
ngpu start chat
ngpu rm chat`},{kind:`output`,text:`Stopped workspace … in 0x….
Started workspace … in 0x….
Closed workspace … in 0x….`},{kind:`text`,html:`<p>In the console: <strong>Stop</strong>, <strong>Start</strong> and <strong>Delete</strong> on top of the workspace.</p>
`}]}]};export{e as default};