import { readFileSync } from "node:fs";
import { ponder } from "ponder:registry";
import { deposit } from "ponder:schema";

const pool = new Set(JSON.parse(readFileSync(process.env.POOL!, "utf8")));

ponder.on("Token:Transfer", async ({ event, context }) => {
  if (!pool.has(event.args.to.toLowerCase())) return;
  await context.db.insert(deposit).values({
    id: event.id,
    recipient: event.args.to,
    units: event.args.value,
    block: event.block.number,
  });
});
