<<<<<<<< HEAD:console/built/assets/replicaField-Czi-n_ub.js
import{g as e,s as t}from"./notices-DY80bwBs.js";import{r as n}from"./form-BIsMQoD2.js";var r=e();function i(e){let i=t();return(0,r.jsx)(n,{label:i(`replica.name`),children:t=>(0,r.jsx)(`select`,{...t,value:e.replica,onChange:t=>e.onChange(Number(t.target.value)),children:e.workspace.replicaList.map(({replica:e,node:t})=>(0,r.jsx)(`option`,{value:e,children:t===null?e:`${e} · ${i(`node.name`,{id:t.id})}`},e))})})}export{i as t};
========
import{g as e,s as t}from"./notices-DH-B-sti.js";import{r as n}from"./form-DCzDE9b8.js";var r=e();function i(e){let i=t();return(0,r.jsx)(n,{label:i(`replica.name`),children:t=>(0,r.jsx)(`select`,{...t,value:e.replica,onChange:t=>e.onChange(Number(t.target.value)),children:e.workspace.replicaList.map(({replica:e,node:t})=>(0,r.jsx)(`option`,{value:e,children:t===null?e:`${e} · ${i(`node.name`,{id:t.id})}`},e))})})}export{i as t};
>>>>>>>> api4:console/built/assets/replicaField-llwJPGex.js
