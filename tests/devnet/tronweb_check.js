// Reads one transaction with tronweb, encodes it again with tronweb's own protobuf, recovers
// its signer, and prints what it found as JSON. Arguments: node URL, transaction id, token.
const path = require("node:path");
const { createRequire } = require("node:module");

const devnet = createRequire(path.join(__dirname, "../../devnet/package.json"));
const { TronWeb, utils } = devnet("tronweb");

async function main([url, id, token]) {
  const tronWeb = new TronWeb({ fullHost: url });
  const transaction = await tronWeb.trx.getTransaction(id);
  tronWeb.setAddress(transaction.raw_data.contract[0].parameter.value.owner_address);
  const contract = await tronWeb.contract().at(token);
  return {
    encodesTheSame: utils.transaction.txCheck(transaction),
    signer: tronWeb.trx.ecRecover(transaction),
    info: await tronWeb.trx.getUnconfirmedTransactionInfo(id),
    symbol: await contract.symbol().call(),
    blocks: (await tronWeb.trx.getBlockRange(0, 1)).length,
  };
}

main(process.argv.slice(2)).then(
  (found) => console.log(JSON.stringify(found)),
  (fault) => {
    console.error(fault);
    process.exitCode = 1;
  },
);
