import { createConfig } from "ponder";
import { parseAbi } from "viem";

export default createConfig({
  database: { kind: "postgres", connectionString: process.env.DATABASE_URL },
  chains: { anvil: { id: 31337, rpc: process.env.NODE_URL } },
  contracts: {
    Token: {
      chain: "anvil",
      abi: parseAbi(["event Transfer(address indexed from, address indexed to, uint256 value)"]),
      address: process.env.TOKEN as `0x${string}`,
      startBlock: Number(process.env.FIRST),
      endBlock: Number(process.env.LAST),
    },
  },
});
