import { onchainTable } from "ponder";

export const deposit = onchainTable("deposit", (t) => ({
  id: t.text().primaryKey(),
  recipient: t.hex().notNull(),
  units: t.bigint().notNull(),
  block: t.bigint().notNull(),
}));
