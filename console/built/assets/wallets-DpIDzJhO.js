var e={title:`Wallets: claim, check, withdraw`,sections:[{id:``,title:``,parts:[{kind:`text`,html:`<p>Whoever holds a wallet sees what it was paid and why, and can verify both without trusting the market. Reading needs no
account.</p>
`}]},{id:`see-what-can-be-claimed`,title:`See what can be claimed`,parts:[{kind:`commands`,text:`ngpu statement --wallet 0x…`},{kind:`text`,html:`<p>Result: every change of the wallet&#39;s money, with the sum of each book: wallet, deposit, locks, rewards, bonds, tasks. In
the console: <strong>Rewards</strong>, then the account.</p>
`}]},{id:`find-out-why-a-node-earned-this`,title:`Find out why a node earned this`,parts:[{kind:`commands`,text:`ngpu explain reward --node 42 --epoch 7`},{kind:`text`,html:`<p>Result: the terms one by one, from heartbeats and proven units to weight, share and leaf.
Rewards (<code>docs/rewards.md</code>) explains the formula.</p>
`}]},{id:`verify-it-without-the-market`,title:`Verify it without the market`,parts:[{kind:`text`,html:`<p>Everything below is recomputed from an RPC endpoint of the chain alone.</p>
`},{kind:`commands`,text:`ngpu verify reward 0x… --rpc-url https://rpc.example
ngpu verify epoch 7 --rpc-url https://rpc.example`},{kind:`text`,html:`<p>Result: every step that holds, or the first one that differs and by how much; then the exit code is 2. In the console,
<strong>Verify</strong> on the page <strong>Rewards</strong> does the same in your browser.</p>
`}]},{id:`claim`,title:`Claim`,parts:[{kind:`commands`,text:`ngpu claim --wallet wallet.key`},{kind:`text`,html:`<p>Result: the amount arrives in the wallet, which pays the gas. Any wallet may send a claim; the amount goes to its owner
alone. In the console: <strong>Rewards</strong>, then <strong>Claim</strong>.</p>
`}]},{id:`withdraw-a-deposit`,title:`Withdraw a deposit`,parts:[{kind:`commands`,text:`ngpu balance
ngpu withdraw all --wallet wallet.key`},{kind:`text`,html:`<p>Result: what no lease has locked is in the wallet. Stop or delete workspaces first to release their locks.</p>
`}]},{id:`take-bonds-back`,title:`Take bonds back`,parts:[{kind:`text`,html:`<p>The first rewards of a node are its bond. It returns to the node&#39;s wallet after some days of uptime. In the console,
<strong>Rewards</strong> lists each bond with the days served and the earliest return.</p>
`}]}]};export{e as default};