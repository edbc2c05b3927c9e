var e={title:`市场所有者：部署、监控、更新`,sections:[{id:``,title:``,parts:[{kind:`text`,html:`<p>所有者部署合约并运行服务。任何所有者都不能取走存款，也不能修改已发布的纪元：角色 (<code>docs/contracts/roles.md</code>)说明谁可以做什么，以及每个密钥的窃贼能拿走多少。</p>
`}]},{id:`在一台机器上试用市场`,title:`在一台机器上试用市场`,parts:[{kind:`commands`,text:`npm start -- --once --json`},{kind:`text`,html:`<p>结果：链、Postgres、Redis、Docker 和所有服务启动，一个节点加入，合作方的任务运行，运营者领取奖励。最后一行是一个 JSON 对象。</p>
`}]},{id:`部署合约`,title:`部署合约`,parts:[{kind:`text`,html:`<p>复制 <code>contracts/ignition/networks/</code> 中的一个文件并编辑。</p>
`},{kind:`commands`,text:`export DEPLOYER_KEYSTORE=deployer.json DEPLOYER_PASSWORD_FILE=password
npm run deploy -- --network op-sepolia
npm run deploy:check -- --network op-sepolia`},{kind:`text`,html:`<p>结果：地址写入 <code>deployments/op-sepolia</code>；然后将代码、连接、角色和延迟与此仓库比较。中断的部署会从停下的地方继续。</p>
`}]},{id:`准备数据库`,title:`准备数据库`,parts:[{kind:`commands`,text:`export DATABASE_ADMIN_URL=postgres://admin:…@db.example/ngpu
npm run migrate`},{kind:`text`,html:`<p>结果：模式和角色已存在。每个服务的角色只能做它需要的事。之后的发布版以同样方式迁移，前一版本的服务在此期间继续运行。</p>
`}]},{id:`运行服务`,title:`运行服务`,parts:[{kind:`text`,html:`<p>每个服务是一个有自己密钥的程序。<code>.env.example</code>列出每个程序的变量，架构 (<code>docs/architecture.md</code>)说明哪些可以运行多个实例。</p>
<p>结果：每个服务的 <code>/healthz</code> 回答 200，<code>/metrics</code> 有它的指标。</p>
`}]},{id:`允许合作方推送镜像`,title:`允许合作方推送镜像`,parts:[{kind:`text`,html:`<p>为 registry 设置 <code>PUSH_STORE</code>(空间充足的目录)和使用角色 <code>ngpu_registry</code> 的 <code>DATABASE_URL</code>。在其前面终止 TLS 的代理需要设置 <code>Host</code> 和
<code>X-Forwarded-Proto</code>，并且不限制请求体大小；否则请设置 <code>PUBLIC_URL</code>。主机名必须与 <code>PROBE_IMAGE</code> 的主机名相同，合作方据此找到镜像仓库。</p>
`},{kind:`commands`,text:`curl -sS -o /dev/null -w '%{http_code}\\n' https://registry.example/v2/`},{kind:`text`,html:`<p>结果：401；以 API 密钥为密码执行 <code>docker login registry.example</code> 会成功。<code>PUSH_QUOTA_GIB</code> 限制每个账户，<code>PUSH_RESERVE_GIB</code> 为磁盘留出空间。
ADR 71 (<code>docs/adr/0071-pushed-images.md</code>)说明保留什么、保留多久。</p>
`}]},{id:`监控`,title:`监控`,parts:[{kind:`text`,html:`<p>指标 (<code>docs/reference/metrics.md</code>)、日志事件 (<code>docs/reference/log-events.md</code>)和期限 (<code>docs/reference/deadlines.md</code>)列在参考中。被搁置的值 (<code>docs/set-aside.md</code>)有
Prometheus 的规则。</p>
`},{kind:`commands`,text:`npm run export:verify`},{kind:`text`,html:`<p>结果：用该服务自己的变量，将导出的表与链比较。</p>
`}]},{id:`提供并更新节点客户端`,title:`提供并更新节点客户端`,parts:[{kind:`commands`,text:`npm run client:release -- --help
npm run updates -- --help`},{kind:`text`,html:`<p>结果：构建发布版、签名和推出的命令的选项。更新 (<code>docs/updates.md</code>)按顺序说明，包括暂停和回退。</p>
`}]},{id:`替换合约`,title:`替换合约`,parts:[{kind:`text`,html:`<p>被替换的合约随其租约结束，新的租约归其继任者。代 (<code>docs/adr/0016-generations-side-by-side.md</code>)说明步骤。</p>
`}]},{id:`制止滥用`,title:`制止滥用`,parts:[{kind:`text`,html:`<p>守护者可以立即暂停某个函数，或停用错误的纪元或在线率根。授予权力的人可以立即收回。角色 (<code>docs/contracts/roles.md</code>)列出两者。</p>
`}]}]};export{e as default};