// Runs one Surfpool until SIGTERM or until standard input closes, so that it dies with its parent.
// usage: node surfpool.js SLOT_MS
// Prints one JSON line {"rpc": URL}; Surfpool chooses its ports itself.
const { Surfnet } = require("@solana/surfpool-linux-x64-gnu");

const surfnet = Surfnet.startWithConfig({
  offline: true,
  blockProductionMode: "clock",
  slotTimeMs: Number(process.argv[2]),
});
// Its queue of events holds about a thousand, one per slot; once full, everything in it stands still.
setInterval(() => surfnet.drainEvents(), 1000);
const stop = () => {
  surfnet.stop();
  process.exit(0);
};
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
process.stdin.on("end", stop);
process.stdin.resume();
console.log(JSON.stringify({ rpc: surfnet.rpcUrl }));
