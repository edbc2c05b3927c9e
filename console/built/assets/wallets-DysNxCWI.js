var e={title:`钱包：领取、核对、提取`,sections:[{id:``,title:``,parts:[{kind:`text`,html:`<p>持有钱包的人可以看到它收到了什么、为什么，并且无需信任市场即可验证两者。查看不需要账户。</p>
`}]},{id:`查看可领取的金额`,title:`查看可领取的金额`,parts:[{kind:`commands`,text:`ngpu statement --wallet 0x…`},{kind:`text`,html:`<p>结果：钱包资金的每次变动，以及每本账的合计：钱包、存款、锁定、奖励、保证金、任务。在控制台：<strong>奖励</strong>，然后填写账户。</p>
`}]},{id:`查明节点为何得到这些`,title:`查明节点为何得到这些`,parts:[{kind:`commands`,text:`ngpu explain reward --node 42 --epoch 7`},{kind:`text`,html:`<p>结果：逐项列出，从心跳和已证明的单位到权重、份额和叶子。奖励 (<code>docs/rewards.md</code>)解释公式。</p>
`}]},{id:`不依赖市场进行验证`,title:`不依赖市场进行验证`,parts:[{kind:`text`,html:`<p>以下一切都仅由链的 RPC 端点重新计算。</p>
`},{kind:`commands`,text:`ngpu verify reward 0x… --rpc-url https://rpc.example
ngpu verify epoch 7 --rpc-url https://rpc.example`},{kind:`text`,html:`<p>结果：每个成立的步骤，或第一个不同之处及其差额；此时退出码为 2。在控制台，<strong>奖励</strong>页面上的<strong>验证</strong>在您的浏览器中完成同样的事。</p>
`}]},{id:`领取`,title:`领取`,parts:[{kind:`commands`,text:`ngpu claim --wallet wallet.key`},{kind:`text`,html:`<p>结果：金额到达钱包，由钱包支付 gas。任何钱包都可以发送领取；金额只归其所有者。在控制台：<strong>奖励</strong>，然后<strong>领取</strong>。</p>
`}]},{id:`提取存款`,title:`提取存款`,parts:[{kind:`commands`,text:`ngpu balance
ngpu withdraw all --wallet wallet.key`},{kind:`text`,html:`<p>结果：没有被租约锁定的部分回到钱包。请先停止或删除工作区以释放锁定。</p>
`}]},{id:`取回保证金`,title:`取回保证金`,parts:[{kind:`text`,html:`<p>节点最初的奖励是它的保证金，在若干在线天数之后退回节点的钱包。在控制台，<strong>奖励</strong>列出每笔保证金、已服务的天数和最早退回时间。</p>
`}]}]};export{e as default};