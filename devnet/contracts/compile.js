// Regenerates tokens.json from Tokens.sol. The compiler is not a dependency of the project:
//   dir=$(mktemp -d) && npm install --prefix "$dir" solc@0.8.37
//   NODE_PATH="$dir/node_modules" node devnet/contracts/compile.js
// Target "paris" keeps the bytecode free of PUSH0, which the Tron emulator's EVM may not know;
// without a metadata hash the same source gives the same bytes anywhere.
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const source = path.join(__dirname, "Tokens.sol");
const input = {
  language: "Solidity",
  sources: { "Tokens.sol": { content: fs.readFileSync(source, "utf8") } },
  settings: {
    optimizer: { enabled: true, runs: 200 },
    evmVersion: "paris",
    metadata: { bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
for (const fault of output.errors || []) {
  console.error(fault.formattedMessage);
}
if (!output.contracts) {
  process.exit(1);
}
const contracts = {};
for (const [name, contract] of Object.entries(output.contracts["Tokens.sol"])) {
  contracts[name] = { abi: contract.abi, bytecode: "0x" + contract.evm.bytecode.object };
}
fs.writeFileSync(path.join(__dirname, "tokens.json"), JSON.stringify(contracts, null, 1) + "\n");
