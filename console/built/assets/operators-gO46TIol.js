var e={title:`Operators: a machine that earns`,sections:[{id:``,title:``,parts:[{kind:`text`,html:`<p>An operator offers a Linux machine. Partners&#39; containers run on it, and it earns what they pay, besides rewards for
hardware that is proven. You need root, Docker, a wallet address, and no ETH. Operating a node (<code>docs/operators.md</code>) has
the details.</p>
`}]},{id:`try-the-installation`,title:`Try the installation`,parts:[{kind:`text`,html:`<p>The script checks the machine, Docker, the driver, the disk, the clock and the market before it changes anything.
<code>--dry-run</code> prints each step and changes nothing.</p>
`},{kind:`commands`,text:`curl -fsS https://market.example/install_mcNode.sh | sudo sh -s -- --api https://market.example --wallet 0x… --dry-run`},{kind:`text`,html:`<p>Result: the steps that the installation would take, or the check that fails with the command that cures it.</p>
`}]},{id:`join-the-market`,title:`Join the market`,parts:[{kind:`commands`,text:`curl -fsS https://market.example/install_mcNode.sh | sudo sh -s -- --api https://market.example --wallet 0x…`},{kind:`text`,html:`<p>Result: the node&#39;s id, what it is paid for, and where to watch it. In the console, <strong>Machines</strong> makes this command for
your wallet and your price, and shows the progress of the machine that joins.</p>
`}]},{id:`accept-the-node-with-the-wallet`,title:`Accept the node with the wallet`,parts:[{kind:`text`,html:`<p>Until the wallet accepts, earnings belong to the node&#39;s own key.</p>
`},{kind:`commands`,text:`ngpu node accept 42 --api https://market.example --wallet wallet.key`},{kind:`text`,html:`<p>Result: the transaction is confirmed, and earnings go to the wallet. Without <code>--wallet</code> the command prints the
transaction for any wallet.</p>
`}]},{id:`see-what-it-does`,title:`See what it does`,parts:[{kind:`commands`,text:`sudo ngpu-node status --watch
sudo ngpu-node logs -f`},{kind:`text`,html:`<p>Result: leases, earnings of today and in all, bond and last measurement; then the log as readable lines. In the console:
<strong>Machines</strong>, and each node&#39;s own page.</p>
`}]},{id:`find-out-why-it-does-not-earn`,title:`Find out why it does not earn`,parts:[{kind:`commands`,text:`sudo ngpu-node doctor`},{kind:`text`,html:`<p>Result: each problem with its evidence and the command that cures it. The exit code is 1 when one keeps the node from
earning.</p>
`}]},{id:`change-what-you-offer`,title:`Change what you offer`,parts:[{kind:`commands`,text:`sudo ngpu-node offer show
sudo ngpu-node offer set --help`},{kind:`text`,html:`<p>Result: price and limits as they are, and the options that change them. A change holds from the next lease on.</p>
`}]},{id:`take-the-machine-out-of-service`,title:`Take the machine out of service`,parts:[{kind:`commands`,text:`sudo ngpu-node drain --wait
sudo ngpu-node resume`},{kind:`text`,html:`<p>Result: <code>drain</code> accepts no new lease, and the market moves the present ones to other nodes; <code>--wait</code> returns when none
is left. <code>resume</code> accepts leases again.</p>
`}]},{id:`keep-the-key-safe`,title:`Keep the key safe`,parts:[{kind:`commands`,text:`sudo ngpu-node key show
sudo ngpu-node key backup node-key.json --passphrase-file passphrase
sudo ngpu-node key rotate`},{kind:`text`,html:`<p>Result: the address and the files of the key; a backup under its own passphrase; the transaction that puts the next key
in place. A lost or stolen key is replaced by the wallet:</p>
`},{kind:`commands`,text:`ngpu node set-key 42 --key-file node.key --api https://market.example --wallet wallet.key
ngpu node revoke-key 42 --api https://market.example --wallet wallet.key`}]},{id:`update`,title:`Update`,parts:[{kind:`text`,html:`<p>Clients install the market&#39;s signed releases by themselves, while leases run on. This does it now:</p>
`},{kind:`commands`,text:`sudo ngpu-node update --check
sudo ngpu-node update`},{kind:`text`,html:`<p>Result: the versions of the market and of this machine; then the new one runs, or the previous one runs on with the
reason.</p>
`}]},{id:`leave`,title:`Leave`,parts:[{kind:`commands`,text:`sudo ngpu-node uninstall`},{kind:`text`,html:`<p>Result: the node is drained and the client removed. <code>--purge</code> removes settings and key, too. The bond returns to the
wallet after the days of uptime that the market&#39;s terms name.</p>
`}]}]};export{e as default};