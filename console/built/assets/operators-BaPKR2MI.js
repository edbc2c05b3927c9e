var e={title:`运营者：让机器赚取收益`,sections:[{id:``,title:``,parts:[{kind:`text`,html:`<p>运营者提供一台 Linux 机器。合作方的容器在上面运行，机器赚取合作方支付的费用，另有对已证明硬件的奖励。您需要 root、Docker 和一个钱包地址，不需要 ETH。
运营节点 (<code>docs/operators.md</code>)有详细说明。</p>
`}]},{id:`试运行安装`,title:`试运行安装`,parts:[{kind:`text`,html:`<p>脚本在改动任何东西之前会检查机器、Docker、驱动、磁盘、时钟和市场。<code>--dry-run</code> 打印每一步，不做任何改动。</p>
`},{kind:`commands`,text:`curl -fsS https://market.example/install_mcNode.sh | sudo sh -s -- --api https://market.example --wallet 0x… --dry-run`},{kind:`text`,html:`<p>结果：安装将执行的步骤，或失败的检查及其解决命令。</p>
`}]},{id:`加入市场`,title:`加入市场`,parts:[{kind:`commands`,text:`curl -fsS https://market.example/install_mcNode.sh | sudo sh -s -- --api https://market.example --wallet 0x…`},{kind:`text`,html:`<p>结果：节点的编号、它因什么获得报酬、在哪里查看。在控制台，<strong>机器</strong>会按您的钱包和价格生成这条命令，并显示正在加入的机器的进度。</p>
`}]},{id:`用钱包接受节点`,title:`用钱包接受节点`,parts:[{kind:`text`,html:`<p>在钱包接受之前，收益属于节点自己的密钥。</p>
`},{kind:`commands`,text:`ngpu node accept 42 --api https://market.example --wallet wallet.key`},{kind:`text`,html:`<p>结果：交易已确认，收益归钱包。不带 <code>--wallet</code> 时，命令打印交易，可用任何钱包发送。</p>
`}]},{id:`查看它在做什么`,title:`查看它在做什么`,parts:[{kind:`commands`,text:`sudo ngpu-node status --watch
sudo ngpu-node logs -f`},{kind:`text`,html:`<p>结果：租约、今日与累计收益、保证金和最近一次测量；然后是可读的日志行。在控制台：<strong>机器</strong>，以及每个节点自己的页面。</p>
`}]},{id:`查明为何没有收益`,title:`查明为何没有收益`,parts:[{kind:`commands`,text:`sudo ngpu-node doctor`},{kind:`text`,html:`<p>结果：每个问题连同证据和解决命令。若有问题使节点无法获得收益，退出码为 1。</p>
`}]},{id:`修改您的报价`,title:`修改您的报价`,parts:[{kind:`commands`,text:`sudo ngpu-node offer show
sudo ngpu-node offer set --help`},{kind:`text`,html:`<p>结果：当前的价格与限制，以及修改它们的选项。修改从下一个租约起生效。</p>
`}]},{id:`让机器停止服务`,title:`让机器停止服务`,parts:[{kind:`commands`,text:`sudo ngpu-node drain --wait
sudo ngpu-node resume`},{kind:`text`,html:`<p>结果：<code>drain</code> 不再接受新租约，市场把现有租约移到其他节点；<code>--wait</code> 在没有租约时返回。<code>resume</code> 重新接受租约。</p>
`}]},{id:`保管密钥`,title:`保管密钥`,parts:[{kind:`commands`,text:`sudo ngpu-node key show
sudo ngpu-node key backup node-key.json --passphrase-file passphrase
sudo ngpu-node key rotate`},{kind:`text`,html:`<p>结果：密钥的地址和文件；一份有自己口令的备份；启用下一个密钥的交易。丢失或被盗的密钥由钱包替换：</p>
`},{kind:`commands`,text:`ngpu node set-key 42 --key-file node.key --api https://market.example --wallet wallet.key
ngpu node revoke-key 42 --api https://market.example --wallet wallet.key`}]},{id:`更新`,title:`更新`,parts:[{kind:`text`,html:`<p>客户端会自行安装市场签名的发布版，租约继续运行。以下命令立即更新：</p>
`},{kind:`commands`,text:`sudo ngpu-node update --check
sudo ngpu-node update`},{kind:`text`,html:`<p>结果：市场与本机的版本；随后运行新版本，或者旧版本继续运行并给出原因。</p>
`}]},{id:`离开`,title:`离开`,parts:[{kind:`commands`,text:`sudo ngpu-node uninstall`},{kind:`text`,html:`<p>结果：节点的租约被移走，客户端被移除。<code>--purge</code> 同时移除设置和密钥。保证金在市场条款规定的在线天数之后退回钱包。</p>
`}]}]};export{e as default};