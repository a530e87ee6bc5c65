// Uses the node with tronweb as it comes and prints what it found as JSON. Arguments: node URL,
// transaction id, token, the payer's private key, an address to pay.
//
// The given transaction is read, encoded again with tronweb's own protobuf, and its signer
// recovered. Then tronweb estimates, builds, signs and sends: TRX, the token, a stake, a loan of
// energy and its return.
const path = require("node:path");
const { createRequire } = require("node:module");

const devnet = createRequire(path.join(__dirname, "../../devnet/package.json"));
const { TronWeb, utils } = devnet("tronweb");

const TRANSFER = "transfer(address,uint256)";
const POLL_MS = 50;
const TRIES = 200;

async function read(tronWeb, id, token) {
  const transaction = await tronWeb.trx.getTransaction(id);
  const contract = await tronWeb.contract().at(token);
  return {
    encodesTheSame: utils.transaction.txCheck(transaction),
    signer: tronWeb.trx.ecRecover(transaction),
    info: await tronWeb.trx.getUnconfirmedTransactionInfo(id),
    symbol: await contract.symbol().call(),
    blocks: (await tronWeb.trx.getBlockRange(0, 1)).length,
  };
}

async function landed(tronWeb, transaction) {
  const signed = await tronWeb.trx.sign(transaction);
  const answer = await tronWeb.trx.sendRawTransaction(signed);
  if (!answer.result) throw new Error(JSON.stringify(answer));
  for (let tries = 0; tries < TRIES; tries += 1) {
    const info = await tronWeb.trx.getUnconfirmedTransactionInfo(signed.txID);
    if (info.id) return { id: info.id, result: info.receipt.result ?? info.result ?? "SUCCESS" };
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`${signed.txID} is in no block`);
}

async function pay(tronWeb, token, to) {
  const payer = tronWeb.defaultAddress.base58;
  const builder = tronWeb.transactionBuilder;
  const native = await landed(tronWeb, await builder.sendTrx(to, 3_000_000, payer));
  const amount = [
    { type: "address", value: to },
    { type: "uint256", value: 250_000 },
  ];
  const { energy_required: energy } = await builder.estimateEnergy(token, TRANSFER, {}, amount, payer);
  const limited = { feeLimit: energy * 100 };
  const call = await builder.triggerSmartContract(token, TRANSFER, limited, amount, payer);
  const paid = await landed(tronWeb, call.transaction);
  const contract = await tronWeb.contract().at(token);
  return {
    native,
    token: paid,
    energy,
    balance: await tronWeb.trx.getUnconfirmedBalance(to),
    tokenBalance: (await contract.balanceOf(to).call()).toString(),
  };
}

async function lend(tronWeb, to) {
  const payer = tronWeb.defaultAddress.base58;
  const builder = tronWeb.transactionBuilder;
  const sun = 500_000_000_000;
  const steps = [await landed(tronWeb, await builder.freezeBalanceV2(sun, "ENERGY", payer))];
  steps.push(await landed(tronWeb, await builder.delegateResource(sun, to, "ENERGY", payer)));
  const confirmed = { confirmed: false };
  const { delegatedResource } = await tronWeb.trx.getDelegatedResourceV2(payer, to, confirmed);
  const index = await tronWeb.trx.getDelegatedResourceAccountIndexV2(to, confirmed);
  const { EnergyLimit: limit } = await tronWeb.trx.getAccountResources(to);
  steps.push(await landed(tronWeb, await builder.undelegateResource(sun, to, "ENERGY", payer)));
  return { results: steps.map((step) => step.result), delegatedResource, index, limit };
}

async function main([url, id, token, privateKey, to]) {
  const tronWeb = new TronWeb({ fullHost: url, privateKey });
  return {
    ...(await read(tronWeb, id, token)),
    ...(await pay(tronWeb, token, to)),
    ...(await lend(tronWeb, to)),
  };
}

main(process.argv.slice(2)).then(
  (found) => console.log(JSON.stringify(found)),
  (fault) => {
    console.error(fault);
    process.exitCode = 1;
  },
);
