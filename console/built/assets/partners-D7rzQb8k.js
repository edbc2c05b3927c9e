var e={title:`合作方：工作区与任务`,sections:[{id:``,title:``,parts:[{kind:`text`,html:`<p>合作方发布工作区，即运行在市场节点上的容器，并向它们发送任务。您需要一个持有市场代币 NGPU 的钱包，不需要 ETH。下面每项任务都给出控制台的做法和命令行
<code>ngpu</code> 的做法（命令行 (<code>docs/cli.md</code>)）。程序使用合作方 API (<code>partner-docs/zh.md</code>)。</p>
<p>在仓库中，这个函数就是该命令；发布版是一个可安装的文件。</p>
`},{kind:`commands`,text:`export NGPU_API=http://127.0.0.1:8080
ngpu() { npx node cli/index.ts "$@"; }
ngpu --version`},{kind:`output`,text:`0.1.0`}]},{id:`登录`,title:`登录`,parts:[{kind:`text`,html:`<p>在控制台选择<strong>登录</strong>，再选择您的钱包：一次签名，无交易。在终端中给出保存钱包私钥的文件；第一行会创建一个新钱包。</p>
`},{kind:`commands`,text:`(umask 077; node -p '"0x" + crypto.randomBytes(32).toString("hex")' > wallet.key)
ngpu login --wallet wallet.key`},{kind:`output`,text:`Logged in to …`},{kind:`text`,html:`<p>这样保存的密钥可以做任何事。<a href="#给程序一个密钥">给程序一个自己的密钥</a>。</p>
`}]},{id:`存款并设置预算`,title:`存款并设置预算`,parts:[{kind:`text`,html:`<p><code>npm start</code> 的市场会给新钱包测试代币；在其他市场，请向钱包转入 NGPU。存款始终属于您：租约不需要的部分随时可以提取。</p>
`},{kind:`commands`,text:`ngpu faucet "$(ngpu balance --json | node -p 'JSON.parse(fs.readFileSync(0)).wallet')"
ngpu deposit 5 --authorize
ngpu balance`},{kind:`output`,text:`Sent 100 NGPU and 0.1 ETH to 0x….
Deposited 5 NGPU in 0x….
Authorization … is stored on the chain.
Wallet: 0x…
Withdrawable: 5 NGPU
…`},{kind:`text`,html:`<p>在控制台：<strong>账户</strong>，然后<strong>存款与预算</strong>。授权限定市场可以替您花费多少：费率、每日、总额和到期时间。</p>
`}]},{id:`查看空闲资源`,title:`查看空闲资源`,parts:[{kind:`commands`,text:`ngpu market gpus
ngpu market nodes`},{kind:`output`,text:`GPU MEM GiB NODES FREE TOTAL NGPU/H FROM TO REGIONS
…
NODE STATUS REGION GPU FREE CPU MEM GiB DISK GiB NGPU/H
…`},{kind:`text`,html:`<p>在控制台，<strong>概览</strong>显示型号与价格，<strong>节点</strong>显示每个节点及其测量结果。</p>
`}]},{id:`查明工作区适合放在哪里`,title:`查明工作区适合放在哪里`,parts:[{kind:`text`,html:`<p>不会发布任何内容。回答给出适合的节点数，以及差一点就适合的节点。</p>
`},{kind:`commands`,text:`IMAGE=$(cat .ngpu/chat-image)
ngpu deploy --dry-run --name chat --image "$IMAGE" --cpu 0.5 --memory-mib 512 --max-price 0.036/h --health /healthz`},{kind:`output`,text:`1 of 1 node fits: the first replica would go to node 1 for … NGPU an hour; 1 of 1 could be placed now.
It would cost at most 0.036 NGPU an hour. Nothing was published.`},{kind:`text`,html:`<p>在控制台，<strong>部署</strong>会在您输入时回答。</p>
`}]},{id:`部署工作区`,title:`部署工作区`,parts:[{kind:`commands`,text:`ngpu deploy --name chat --image "$IMAGE" --cpu 0.5 --memory-mib 512 --max-price 0.036/h --health /healthz
ngpu ps`},{kind:`output`,text:`Workspace … runs: 1 of 1 replicas, on node 1.
Next: ngpu chat chat, ngpu run chat, ngpu rm chat
…
… chat running 1/1 …`},{kind:`text`,html:`<p>所有副本都运行后命令结束，否则说明某个副本为何没有运行。在控制台：<strong>部署</strong>，然后<strong>发布</strong>。</p>
`}]},{id:`提问`,title:`提问`,parts:[{kind:`commands`,text:`ngpu chat chat "What is a lease?"
ngpu run chat '{"messages": [{"role": "user", "content": "What is a node?"}]}' --path /v1/chat/completions
ngpu tasks`},{kind:`output`,text:`…
"role": "assistant",
…
TASK WORKSPACE STATUS NODE MS CREATED ERROR
… succeeded 1 …`},{kind:`text`,html:`<p>在控制台，工作区有<strong>对话</strong>，<strong>任务</strong>列出每次调用及其收据。OpenAI 客户端需要基础 URL <code>$NGPU_API/v1</code> 和模型名 <code>chat</code>。</p>
`}]},{id:`阅读日志`,title:`阅读日志`,parts:[{kind:`commands`,text:`ngpu logs chat`},{kind:`output`,text:`ready`},{kind:`text`,html:`<p><code>--follow</code> 会等待后续的行。在控制台：<strong>日志</strong>可以搜索和下载，另有<strong>终端</strong>。</p>
`}]},{id:`查明为何没有运行`,title:`查明为何没有运行`,parts:[{kind:`text`,html:`<p>每个工作区和副本都有原因：一句话和该怎么做，以及它的历史。</p>
`},{kind:`commands`,text:`ngpu describe chat
ngpu events chat`},{kind:`output`,text:`Workspace … (chat): running, 1 of 1 replicas run.
Replica 0 on node 1: runs.
…
… workspace_published The workspace was published.
… replica_assigned replica 0, lease 1, node 1 The replica was given to a node.
… state_reported replica 0, lease 1, node 1 The node reported the replica's state.
…`},{kind:`text`,html:`<p>在控制台：工作区顶部的提示，以及<strong>事件</strong>。所有原因 (<code>docs/reference/reasons.md</code>)。</p>
`}]},{id:`修改`,title:`修改`,parts:[{kind:`commands`,text:`ngpu update chat --max-price 0.072/h
ngpu scale chat 2`},{kind:`output`,text:`Updated in 0x….
…
Scaled in 0x….`},{kind:`text`,html:`<p>在控制台，<strong>配置</strong>显示已发布的内容和正在运行的内容，更新前显示差异。</p>
`}]},{id:`查看费用`,title:`查看费用`,parts:[{kind:`commands`,text:`ngpu usage
ngpu statement`},{kind:`output`,text:`WORKSPACE PAYMENTS PAID REFUNDED COST
…
Total: … NGPU since 30d ago.
TIME BOOK KIND NGPU WORKSPACE NODE TRANSACTION
…
Sum of wallet: 95 NGPU.`},{kind:`text`,html:`<p>节点的停机时间在次日退款。在控制台：工作区的<strong>费用</strong>，以及<strong>账户</strong>。</p>
`}]},{id:`给程序一个密钥`,title:`给程序一个密钥`,parts:[{kind:`text`,html:`<p>此密钥三十天内只能发送任务，每天最多花费一个 NGPU。</p>
`},{kind:`commands`,text:`ngpu keys create app --scope tasks --expires 30d --spend 1
ngpu keys`},{kind:`output`,text:`ngpu_…
KEY NAME SCOPES CREATED LAST USED EXPIRES
… ngpu all …
… app tasks … never …`},{kind:`text`,html:`<p>在控制台：<strong>密钥</strong>。密钥只显示一次。</p>
`}]},{id:`停止启动删除`,title:`停止、启动、删除`,parts:[{kind:`text`,html:`<p>已停止的副本以十分之一的价格保留它的节点。</p>
`},{kind:`commands`,text:`ngpu stop chat
ngpu start chat
ngpu rm chat`},{kind:`output`,text:`Stopped workspace … in 0x….
Started workspace … in 0x….
Closed workspace … in 0x….`},{kind:`text`,html:`<p>在控制台：工作区顶部的<strong>停止</strong>、<strong>启动</strong>和<strong>删除</strong>。</p>
`}]}]};export{e as default};